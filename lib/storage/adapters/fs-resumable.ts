import { createHash } from 'node:crypto';
import { constants, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LocationTakenError } from '../../errors/storage.errors.js';
import type { ResumableUploadAdapter } from '../resumable-upload-adapter.js';
import { publish } from './fs-publish.js';
import { belowFile, isMissing, look, syncDirectory } from './fs-root.js';
import type { FsModes, FsPlace, FsRoot } from './fs-root.js';
import { syncFile } from './fs-flush.js';
import { partialOf } from './fs-walk.js';
import { appendContent } from './fs-write.js';

/**
 * Uploads of several requests, below a root. The bytes are in an unfinished file beside the location, whose size is the
 * offset. Its name follows from the location, so that it is found after a crash. It counts as a leftover once no open
 * upload is as old.
 */
export class FsResumableUploads implements ResumableUploadAdapter {
  constructor(
    private readonly root: FsRoot,
    private readonly modes: FsModes,
    private readonly isFlushed: boolean,
  ) {}

  async begin(location: string): Promise<string> {
    const { directory } = await this.root.make(location);
    if (!(await look({ path: directory }))?.isDirectory()) throw belowFile(location);
    return '';
  }

  async offset(location: string): Promise<number | undefined> {
    const place = await this.root.find(location);
    if (!place) return 0;
    const handle = await openIfThere(partialIn(place, location), 'r+');
    if (!handle) return (await look(place))?.isFile() ? undefined : 0;
    try {
      const { size } = await handle.stat();
      // Another request may be writing: the disk has these bytes when they are told of.
      if (this.isFlushed) await handle.datasync();
      return size;
    } finally {
      await handle.close();
    }
  }

  async append(location: string, _handle: string, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    const place = await this.root.make(location);
    const { O_RDWR, O_CREAT } = constants;
    const handle = await open(partialIn(place, location), O_RDWR | O_CREAT, this.modes.file);
    try {
      if (offset === 0) {
        if (this.modes.isAsked) await handle.chmod(this.modes.file);
        if (this.isFlushed) await syncDirectory(place.directory);
      }
      return await appendContent(handle, offset, content, this.isFlushed);
    } finally {
      await handle.close();
    }
  }

  async head(location: string, _handle: string, size: number): Promise<Buffer> {
    const place = await this.root.find(location);
    const handle = place && (await openIfThere(partialIn(place, location), 'r'));
    if (!handle) return Buffer.alloc(0);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  async finish(location: string): Promise<void> {
    const place = await this.root.make(location);
    const partial = partialIn(place, location);
    // An upload of no bytes has no file yet.
    if (!(await look({ path: partial })) && !(await look(place)))
      await (await open(partial, 'a', this.modes.file)).close();
    try {
      if (this.isFlushed) await syncFile(partial);
      if (!(await publish(partial, place.path, this.modes.file))) await assertSame(place, partial, location);
    } catch (error) {
      // Another call has finished the upload meanwhile.
      if (!isMissing(error) || !(await look(place))) throw error;
    }
    if (this.isFlushed) await syncDirectory(place.directory);
    await removePartial(partial);
  }

  async abort(location: string): Promise<void> {
    const place = await this.root.find(location);
    if (place) await removePartial(partialIn(place, location));
  }
}

/** The unfinished file of the upload to the location. */
function partialIn({ directory }: FsPlace, location: string): string {
  const key = createHash('sha256').update(location).digest('hex');
  const uuid = [key.slice(0, 8), key.slice(8, 12), key.slice(12, 16), key.slice(16, 20), key.slice(20, 32)].join('-');
  return join(directory, partialOf(basename(location), uuid));
}

async function openIfThere(path: string, flags: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** After a crash, or a call at the same time, the location has the file already, under both names. */
async function assertSame(place: FsPlace, partial: string, location: string): Promise<void> {
  const [published, unfinished] = [await look(place), await look({ path: partial })];
  if (!unfinished || (published?.ino === unfinished.ino && published.dev === unfinished.dev)) return;
  throw new LocationTakenError(location);
}

async function removePartial(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
