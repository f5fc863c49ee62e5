import { FilesOptionError } from '../errors/files-option.error.js';

/** The routes of the library, by name. `link` is the one that opens signed links. */
export const FILES_ROUTES = [
  'upload',
  'list',
  'show',
  'rename',
  'delete',
  'download',
  'replace',
  'transfer',
  'pin',
  'unpin',
  'history',
  'link',
] as const;

/** A route of the library. */
export type FilesRoute = (typeof FILES_ROUTES)[number];

/** Decorators of methods, as they stand above a route of the application: `[ApiBearerAuth(), Roles('staff')]`. */
export type RouteDecorators = readonly MethodDecorator[];

/** The routes of the library. */
export interface FilesHttpOptions {
  /** Without the global prefix. @default 'files' */
  path?: string;
  /**
   * The application's own decorators, on all routes, or by route: `{ all: [ApiBearerAuth()], link: [Public()] }`. Those of a route are
   * applied after those of all, so that they win.
   */
  decorators?: RouteDecorators | Readonly<Partial<Record<FilesRoute | 'all', RouteDecorators>>>;
  /** Routes that the application does without: `['transfer', 'pin', 'unpin']`. @default none */
  without?: readonly FilesRoute[];
}

/** The options with their defaults. */
export interface CheckedHttpOptions {
  readonly path: string;
  /** The decorators of a route, the first to be applied first; `undefined` where it is left out. */
  decoratorsOf(route: FilesRoute): RouteDecorators | undefined;
}

/** Fills in the defaults; throws `FilesOptionError`. */
export function readHttpOptions({
  path = 'files',
  decorators = [],
  without = [],
}: FilesHttpOptions): CheckedHttpOptions {
  const byRoute: Readonly<Partial<Record<FilesRoute | 'all', RouteDecorators>>> = isList(decorators)
    ? { all: decorators }
    : decorators;
  for (const name of Object.keys(byRoute)) if (name !== 'all') assertRoute('http.decorators', name);
  for (const name of without) assertRoute('http.without', name);
  const { all = [] } = byRoute;
  return {
    path,
    // Decorators above each other are applied from the one that is nearest to the method.
    decoratorsOf: (route) =>
      without.includes(route) ? undefined : [...all.toReversed(), ...(byRoute[route] ?? []).toReversed()],
  };
}

function isList(decorators: FilesHttpOptions['decorators']): decorators is RouteDecorators {
  return Array.isArray(decorators);
}

function assertRoute(option: string, name: string): void {
  if ((FILES_ROUTES as readonly string[]).includes(name)) return;
  throw new FilesOptionError(option, `there is no route "${name}". The routes are ${FILES_ROUTES.join(', ')}`);
}
