import { close, fstat, open, read } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { LocationNotFoundError } from '../../errors/storage.errors.js';
import type { Bytes, ReadsTogether } from '../reads-together.js';
import { look, OPEN_TO_READ, READ_SIZE } from './fs-root.js';
import type { FsRoot } from './fs-root.js';

/** Looks each directory up once. Small files are read without a stream, which would take longer than the reading. */
export class FsReads implements ReadsTogether {
  readonly #directories = new Map<string, Promise<string | undefined>>();

  constructor(
    private readonly root: FsRoot,
    private readonly stream: (path: string, location: string) => Promise<Readable>,
  ) {}

  async read(location: string): Promise<Bytes> {
    const path = await this.#find(location);
    if (path === undefined) throw new LocationNotFoundError(location);
    // After an error the stream is opened: its own errors name the location.
    const bytes = await readWhole(path).catch(() => undefined);
    return bytes ? [bytes] : this.stream(path, location);
  }

  async pathOf(location: string): Promise<string | undefined> {
    const path = await this.#find(location);
    return path !== undefined && (await look({ path }))?.isFile() ? path : undefined;
  }

  async #find(location: string): Promise<string | undefined> {
    const name = dirname(location);
    let found = this.#directories.get(name);
    if (found === undefined) {
      found = this.root.find(location).then((place) => place?.directory);
      this.#directories.set(name, found);
      // The next file in this directory looks again.
      found.catch(() => this.#directories.delete(name));
    }
    const directory = await found;
    return directory === undefined ? undefined : join(directory, basename(location));
  }
}

/**
 * The bytes of a small file; `undefined` for a large or empty one, and for anything but a file. Callbacks take less
 * time than a `FileHandle`.
 */
function readWhole(path: string): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    open(path, OPEN_TO_READ, (fault, file) => {
      if (fault) return reject(fault);
      const end = (error: Error | null, bytes?: Buffer): void =>
        close(file, () => (error ? reject(error) : resolve(bytes)));
      fstat(file, (error, found) => {
        if (error || !found.isFile() || found.size === 0 || found.size > READ_SIZE) return end(error);
        read(file, Buffer.allocUnsafe(found.size), 0, found.size, 0, (unread, count, bytes) =>
          end(unread, count === bytes.length ? bytes : undefined),
        );
      });
    });
  });
}
