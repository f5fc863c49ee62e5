/** @module nestjs-files/storage/fs */

import { chmod, constants, copyFile, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { assertLocation } from '../location.js';
import type { MarkPlace } from '../mark-place.js';
import type { ByteRange, Leftovers, LocatedObject, StorageAdapter, StoredObject } from '../storage-adapter.js';
import { Storage } from '../storage.js';
import type { ReadsTogether } from '../reads-together.js';
import type { WritesTogether } from '../writes-together.js';
import { createFile } from './fs-create.js';
import { syncFile } from './fs-flush.js';
import { publish } from './fs-publish.js';
import { FS_MARK, FsMark } from './fs-mark.js';
import { readModes } from './fs-options.js';
import type { FsStorageOptions } from './fs-options.js';
import { belowFile, FsRoot, isFault, isMissing, look, OPEN_TO_READ, READ_SIZE, syncDirectory } from './fs-root.js';
import type { FsModes, FsPlace } from './fs-root.js';
import { FsResumableUploads } from './fs-resumable.js';
import { FsReads } from './fs-reads.js';
import { isPartial, walk } from './fs-walk.js';
import { writeNew } from './fs-write.js';
import { FsWrites } from './fs-writes.js';

export type { FsStorageOptions };

/** Keeps files below a directory: `fsStorage({ root: 'var/files', maxSize: '50MiB' })`. */
export function fsStorage({ root, fsync, modes, ...limits }: FsStorageOptions): Storage {
  return new Storage(new FsAdapter({ root, fsync, modes }), limits);
}

class FsAdapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly resumableUploads: FsResumableUploads;
  readonly #root: FsRoot;
  readonly #fsync: boolean;
  readonly #modes: FsModes;

  constructor({ root, fsync = true, modes }: Pick<FsStorageOptions, 'root' | 'fsync' | 'modes'>) {
    if (typeof root !== 'string' || root === '')
      throw new StorageOptionInvalidError('root', root, 'the path of a directory');
    this.#modes = readModes(modes);
    this.#root = new FsRoot(resolve(root), this.#modes);
    this.markPlace = new FsMark(resolve(root), this.#root, this.#modes);
    this.#fsync = fsync;
    this.resumableUploads = new FsResumableUploads(this.#root, this.#modes, fsync);
  }

  async connect(): Promise<void> {
    await this.#root.prepare();
  }

  assertLocation(location: string): void {
    assertLocation(location);
    if (location === FS_MARK) throw new LocationInvalidError(location, 'the mark of the storage uses it');
    if (isPartial(basename(location))) throw new LocationInvalidError(location, 'it is named as an unfinished file is');
  }

  async write(location: string, content: Readable): Promise<void> {
    const how = { modes: this.#modes, isFlushed: this.#fsync };
    await this.#create(location, (partial) => writeNew(partial, content, how));
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    const place = await this.#root.find(location);
    if (!place) throw new LocationNotFoundError(location);
    return this.#readAt(place.path, location, range);
  }

  beginReads(): ReadsTogether {
    return new FsReads(this.#root, (path, location) => this.#readAt(path, location));
  }

  async #readAt(path: string, location: string, range?: ByteRange): Promise<Readable> {
    const handle = await openFile(path, location);
    const found = await handle.stat();
    if (found.isFile()) {
      const highWaterMark = Math.min(READ_SIZE, Math.max(found.size, 1));
      const { start = 0, end = Infinity } = range ?? {};
      // With the last byte known, the file is not read once more to find its end.
      const last = start < found.size ? Math.min(end, found.size - 1) : end;
      return handle.createReadStream({ start, end: last, highWaterMark });
    }
    await handle.close();
    throw new LocationNotFoundError(location);
  }

  async pathOf(location: string): Promise<string | undefined> {
    const place = await this.#root.find(location);
    return place && (await look(place))?.isFile() ? place.path : undefined;
  }

  async remove(location: string): Promise<void> {
    const place = await this.#root.find(location);
    if (place) await unlinkIfThere(place.path);
  }

  /** Each directory is looked up once. */
  async removeAll(locations: readonly string[]): Promise<void> {
    const directories = new Map<string, FsPlace | undefined>();
    for (const location of locations) {
      const name = dirname(location);
      if (!directories.has(name)) directories.set(name, await this.#root.find(location));
      const directory = directories.get(name)?.directory;
      if (directory !== undefined) await unlinkIfThere(join(directory, basename(location)));
    }
  }

  beginWrites(): WritesTogether {
    return new FsWrites(this.#root, this.#modes, this.#fsync);
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const place = await this.#root.find(location);
    const found = place && (await look(place));
    return found?.isFile() ? { size: found.size, modifiedAt: found.mtime } : undefined;
  }

  async copy(from: string, to: string): Promise<void> {
    await this.#create(to, async (partial) => {
      await this.#copyTo(partial, from);
      if (this.#fsync) await syncFile(partial);
    });
  }

  async move(from: string, to: string): Promise<void> {
    const source = await this.#root.find(from);
    if (!source || !(await look(source))?.isFile()) throw new LocationNotFoundError(from);
    const target = await this.#root.make(to);
    try {
      if (!(await publish(source.path, target.path, this.#modes.file))) throw new LocationTakenError(to);
    } catch (error) {
      if (isFault(error, 'ENOENT')) throw new LocationNotFoundError(from);
      if (isFault(error, 'ENOTDIR')) throw belowFile(to);
      throw error;
    }
    if (this.#fsync) await syncDirectory(target.directory);
    // Linked under both names until here, or renamed.
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    const place = directory === undefined ? undefined : await this.#root.find(`${directory}/.`);
    if (directory !== undefined && place === undefined) return;
    const files = place ? walk(place.directory, `${directory}/`) : walk(await this.#resolvedRoot());
    for await (const { location, path } of files) {
      if (isPartial(basename(location)) || location === FS_MARK) continue;
      const found = await look({ path });
      if (found?.isFile()) yield { location, size: found.size, modifiedAt: found.mtime };
    }
  }

  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const removed = { count: 0, size: 0 };
    for await (const { location, path } of walk(await this.#resolvedRoot())) {
      if (signal?.aborted) break;
      if (!isPartial(basename(location))) continue;
      const found = await look({ path });
      if (!found?.isFile() || found.mtime >= before) continue;
      // Another sweeper may be faster.
      if (!(await unlinkIfThere(path))) continue;
      removed.count++;
      removed.size += found.size;
    }
    return removed;
  }

  async #resolvedRoot(): Promise<string> {
    return this.#root.real ?? (await this.#root.prepare());
  }

  async #create(location: string, fill: (partial: string) => Promise<void>): Promise<void> {
    const place = await this.#root.make(location);
    // An early refusal, before the bytes are read; publishing the file decides.
    if (await look(place)) throw new LocationTakenError(location);
    await createFile(place, location, this.#modes.file, fill);
    if (this.#fsync) await this.#settle(place);
  }

  async #copyTo(partial: string, from: string): Promise<void> {
    const source = await this.#root.find(from);
    if (!source || !(await look(source))?.isFile()) throw new LocationNotFoundError(from);
    try {
      await copyFile(source.path, partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      // It copies the mode too.
      await chmod(partial, this.#modes.file);
    } catch (error) {
      if (isFault(error, 'ENOENT')) throw new LocationNotFoundError(from);
      throw error;
    }
  }

  async #settle({ directory, path }: FsPlace): Promise<void> {
    try {
      await syncDirectory(directory);
    } catch (error) {
      await unlink(path);
      throw error;
    }
  }
}

async function openFile(path: string, location: string): Promise<FileHandle> {
  try {
    return await open(path, OPEN_TO_READ);
  } catch (error) {
    if (isMissing(error)) throw new LocationNotFoundError(location);
    if (isFault(error, 'ELOOP')) throw new LocationInvalidError(location, 'it is a symbolic link');
    throw error;
  }
}

/** Whether it was there. */
async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return false;
  }
}
