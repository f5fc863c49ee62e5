import { constants, link, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { inLanes } from '../in-lanes.js';
import type { Bytes } from '../reads-together.js';
import type { CheckBytes, WritesTogether } from '../writes-together.js';
import { createFile } from './fs-create.js';
import { isFault, isMissing, READ_SIZE, syncDirectory } from './fs-root.js';
import type { FsModes, FsPlace, FsRoot } from './fs-root.js';
import { writeNew } from './fs-write.js';

// Node.js has four threads for the file system.
const FLUSHED_AT_ONCE = 4;

/**
 * Files that are written one by one, while each of their directories is looked up once, and flushed once for all of
 * them.
 */
export class FsWrites implements WritesTogether {
  readonly #directories = new Map<string, Promise<string>>();
  // Windows has other owners and modes. After one file that cannot be linked, the others are not tried.
  #canLink = process.geteuid !== undefined;

  constructor(
    private readonly root: FsRoot,
    private readonly modes: FsModes,
    private readonly isFlushed: boolean,
  ) {}

  async write(location: string, content: Readable): Promise<void> {
    const how = { modes: this.modes, isFlushed: this.isFlushed };
    const place = await this.#make(location);
    await createFile(place, location, this.modes.file, (partial) => writeNew(partial, content, how));
  }

  async link(path: string, location: string, check: CheckBytes): Promise<boolean> {
    if (!this.#canLink) return false;
    const place = await this.#make(location);
    try {
      await link(path, place.path);
    } catch (error) {
      if (isFault(error, 'EEXIST')) throw new LocationTakenError(location);
      // Another disk, another user's files, or a file system without links. Otherwise reading and writing the file tell
      // what is missing.
      if (!isMissing(error)) this.#canLink = false;
      return false;
    }
    let isAccepted = false;
    try {
      isAccepted = await this.#accept(place, check);
      if (!isAccepted) this.#canLink = false;
    } finally {
      if (!isAccepted) await unlink(place.path);
    }
    return isAccepted;
  }

  async finish(): Promise<void> {
    if (!this.isFlushed) return;
    const directories = await Promise.all(this.#directories.values());
    await inLanes(directories, FLUSHED_AT_ONCE, syncDirectory);
  }

  async #make(location: string): Promise<FsPlace> {
    const name = dirname(location);
    let found = this.#directories.get(name);
    if (found === undefined) {
      found = this.root.make(location).then((place) => place.directory);
      this.#directories.set(name, found);
      // The next write to it tries again.
      found.catch(() => this.#directories.delete(name));
    }
    const directory = await found;
    return { directory, path: join(directory, basename(location)) };
  }

  /**
   * Whether the linked file is as one that was written here. Its new name leads to what is checked, whatever happens to
   * the old one.
   */
  async #accept({ path }: FsPlace, check: CheckBytes): Promise<boolean> {
    const handle = await openLinked(path);
    if (handle === undefined) return false;
    try {
      const { mode, uid, size } = await handle.stat();
      const isOwn = uid === process.geteuid?.() && (mode & constants.S_IFMT) === constants.S_IFREG;
      if (!isOwn || (mode & 0o7777) !== this.modes.file) return false;
      const flushed = this.isFlushed ? handle.datasync() : undefined;
      const [bytes] = await Promise.all([contentOf(handle, size), flushed]);
      await check(bytes);
      return true;
    } finally {
      await handle.close();
    }
  }
}

/** Reads a small file at once, because a stream would take longer. The caller closes the file. */
async function contentOf(handle: FileHandle, size: number): Promise<Bytes> {
  if (size > 0 && size <= READ_SIZE) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, 0);
    if (bytesRead === size) return [buffer];
  }
  // With the last byte known, the file is not read once more to find its end.
  const end = size > 0 ? { end: size - 1 } : {};
  return handle.createReadStream({
    start: 0,
    ...end,
    autoClose: false,
    highWaterMark: Math.min(READ_SIZE, Math.max(size, 1)),
  });
}

async function openLinked(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    // A symbolic link, or a file that this process may not change.
    if (isFault(error, 'ELOOP', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
