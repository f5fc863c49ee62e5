import type { ManagedFile } from '../files/managed-file.entity.js';
import { OptionInvalidError } from '../errors/setup.errors.js';
import { LONGEST_TIMER } from '../unit-of-work/ends-within.js';

/**
 * The routes of the library, by name. `derived` are those of derived files, one for each kind; `directUploads` are
 * five, below `uploads`; `tus` are those of resumable uploads; `link` opens signed links.
 */
export const FILES_ROUTES = [
  'upload',
  'list',
  'read',
  'rename',
  'delete',
  'download',
  'replace',
  'derived',
  'transfer',
  'pin',
  'unpin',
  'history',
  'directUploads',
  'capabilities',
  'tus',
  'assets',
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
  /** The path of resumable uploads, without the global prefix. @default 'files/tus', or `tus` below another `path` */
  tusPath?: string;
  /**
   * The application's own decorators, on all routes, or by route: `{ all: [ApiBearerAuth()], link: [Public()] }`. Those
   * of a route are applied after those of all, so that they win.
   */
  decorators?: RouteDecorators | Readonly<Partial<Record<FilesRoute | 'all', RouteDecorators>>>;
  /**
   * The part of a file's `metadata` that the routes answer, as `metadata`. They check access to the file before.
   * @default none, and the answers have no `metadata`
   * @example ({ metadata }) => ({ alt: metadata?.alt })
   */
  metadata?: (file: ManagedFile) => object | null;
  /** Routes to leave out: `['transfer', 'pin', 'unpin']`. @default none */
  without?: readonly FilesRoute[];
  /** Serves the client and `<file-field>` to pages, below `assets`. See docs/file-field.md. @default false */
  assets?: boolean;
  /**
   * How many milliseconds an upload may stand still, that is send less than a kilobyte, before it is ended with a 408,
   * on all platforms, and also for forms of `@UploadAs()`. Uploads that make progress may take as long as they need.
   * `Infinity` never ends one. @default 60000
   */
  uploadIdleTimeout?: number;
  /**
   * How many milliseconds a client may read nothing of a download before its connection is closed. Time spent on
   * waiting for the storage does not count. Reading counts only when the operating system sends more of the content,
   * which may be a megabyte later: a short timeout disconnects slow clients, too. `Infinity` never ends a download.
   * @default 300000
   */
  downloadIdleTimeout?: number;
}

/** The options with their defaults. */
export interface CheckedHttpOptions {
  readonly path: string;
  readonly tusPath: string;
  readonly uploadIdleTimeout: number;
  readonly downloadIdleTimeout: number;
  readonly metadata: FilesHttpOptions['metadata'];
  readonly assets: boolean;
  /** The decorators of a route, the first to be applied first; `undefined` where it is left out. */
  decoratorsOf(route: FilesRoute): RouteDecorators | undefined;
}

export const UPLOAD_IDLE_DEFAULT = 60_000;
const DOWNLOAD_IDLE_DEFAULT = 300_000;

/** Fills in the defaults; throws `OptionInvalidError`. */
export function readHttpOptions({
  path = 'files',
  tusPath = `${path.replace(/\/+$/, '')}/tus`,
  decorators = [],
  without = [],
  metadata,
  assets = false,
  uploadIdleTimeout = UPLOAD_IDLE_DEFAULT,
  downloadIdleTimeout = DOWNLOAD_IDLE_DEFAULT,
}: FilesHttpOptions): CheckedHttpOptions {
  const byRoute: Readonly<Partial<Record<FilesRoute | 'all', RouteDecorators>>> = isList(decorators)
    ? { all: decorators }
    : decorators;
  for (const name of Object.keys(byRoute)) if (name !== 'all') assertRoute('http.decorators', name);
  for (const name of without) assertRoute('http.without', name);
  assertMetadata(metadata);
  assertTime('http.uploadIdleTimeout', uploadIdleTimeout);
  assertTime('http.downloadIdleTimeout', downloadIdleTimeout);
  const { all = [] } = byRoute;
  return {
    path,
    tusPath,
    assets,
    uploadIdleTimeout,
    downloadIdleTimeout,
    metadata,
    // Decorators are applied from the bottom up.
    decoratorsOf: (route) =>
      without.includes(route) ? undefined : [...all.toReversed(), ...(byRoute[route] ?? []).toReversed()],
  };
}

function isList(decorators: FilesHttpOptions['decorators']): decorators is RouteDecorators {
  return Array.isArray(decorators);
}

function assertRoute(option: string, name: string): void {
  if ((FILES_ROUTES as readonly string[]).includes(name)) return;
  throw new OptionInvalidError(option, `there is no route "${name}". The routes are ${FILES_ROUTES.join(', ')}`);
}

function assertMetadata(metadata: FilesHttpOptions['metadata']): void {
  if (metadata === undefined || typeof metadata === 'function') return;
  throw new OptionInvalidError('http.metadata', `it must be a function of a file, and is ${JSON.stringify(metadata)}`);
}

function assertTime(option: string, time: number): void {
  if (time > 0 && (time <= LONGEST_TIMER || time === Infinity)) return;
  throw new OptionInvalidError(option, `it must be a number of milliseconds above 0, or Infinity, and is ${time}`);
}
