import { unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { publish } from './fs-publish.js';
import { belowFile, isFault } from './fs-root.js';
import type { FsPlace } from './fs-root.js';
import { partialOf } from './fs-walk.js';

/**
 * Fills a file under another name beside the place, and gives it its own name once it is complete. Throws where there
 * is a file.
 */
export async function createFile(
  place: FsPlace,
  location: string,
  mode: number,
  fill: (partial: string) => Promise<void>,
): Promise<void> {
  const partial = join(place.directory, partialOf(basename(location)));
  try {
    await fill(partial);
    if (!(await publish(partial, place.path, mode))) throw new LocationTakenError(location);
  } catch (error) {
    if (isFault(error, 'ENOTDIR')) throw belowFile(location);
    throw error;
  } finally {
    await unlink(partial).catch(() => {}); // gone already, or swept as any other leftover
  }
}
