import { readdirSync, readFileSync } from 'node:fs';
import { Get, Header, Inject, Injectable, NotFoundException, Param } from '@nestjs/common';
import { OptionInvalidError } from '../../errors/setup.errors.js';

/** The directory with the modules of the client. */
export const CLIENT_FOLDER = Symbol('CLIENT_FOLDER');

/** Where they are in the package, beside this module. */
export const PACKED_CLIENT = new URL('../../client/', import.meta.url);

/** The modules of the client, by their paths: `upload.js`, `field/file-field.js`. They are read once, at boot. */
@Injectable()
export class ClientModules {
  readonly #modules: ReadonlyMap<string, string>;

  /** Throws `OptionInvalidError` where the modules are not, as in an application that was bundled into one file. */
  constructor(@Inject(CLIENT_FOLDER) folder: URL) {
    this.#modules = new Map(modulesIn(folder));
    if (this.#modules.has('field/file-field.js')) return;
    const why = `the modules of the client are not in ${folder.pathname}. An application that was bundled serves them itself, from the package`;
    throw new OptionInvalidError('http.assets', why);
  }

  find(path: string): string | undefined {
    return this.#modules.get(path);
  }
}

/**
 * The client and the element `<file-field>`, for pages without a build step. The controller made from it sets the path.
 */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class AssetsEndpoints {
  constructor(private readonly modules: ClientModules) {}

  @Get(':name')
  @Header('content-type', 'text/javascript; charset=utf-8')
  @Header('cache-control', 'public, no-cache')
  @Header('x-content-type-options', 'nosniff')
  client(@Param('name') name: string): string {
    return this.#found(name);
  }

  @Get('field/:name')
  @Header('content-type', 'text/javascript; charset=utf-8')
  @Header('cache-control', 'public, no-cache')
  @Header('x-content-type-options', 'nosniff')
  field(@Param('name') name: string): string {
    return this.#found(`field/${name}`);
  }

  #found(path: string): string {
    const code = this.modules.find(path);
    if (code === undefined) throw new NotFoundException(`There is no module ${path}`);
    return code;
  }
}

/** The path of these routes below that of the files. */
export function assetsPath(filesPath: string): string {
  return `${filesPath.replace(/\/+$/, '')}/assets`;
}

function* modulesIn(folder: URL): Generator<readonly [string, string]> {
  for (const directory of ['', 'field/']) {
    const at = new URL(directory, folder);
    for (const name of namesIn(at)) {
      if (name.endsWith('.js')) yield [directory + name, readFileSync(new URL(name, at), 'utf8')];
    }
  }
}

function namesIn(folder: URL): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
