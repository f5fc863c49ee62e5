import { randomUUID } from 'node:crypto';
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault, isMissing } from './fs-root.js';

// The file system's own directory, at the top of a disk, which often only root can read.
const LOST_AND_FOUND = 'lost+found/';
const PARTIAL = /^\..{0,50}\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/su;

/** A name for a file that is being written: of a form that no complete one is taken for. */
export function partialOf(name: string, id: string = randomUUID()): string {
  return `.${name.slice(0, 50)}.${id}.part`;
}

export function isPartial(name: string): boolean {
  return PARTIAL.test(name);
}

/**
 * The files below a directory, without following links: their targets are in the root as well, or outside. `path` is
 * where it is. A `lost+found` at the top that cannot be read is passed over. Other directories that cannot be read are
 * errors, which name them.
 */
export async function* walk(path: string, location = ''): AsyncGenerator<{ location: string; path: string }> {
  try {
    for await (const entry of await opendir(path)) {
      const found = { location: location + entry.name, path: join(path, entry.name) };
      if (entry.isDirectory()) yield* walk(found.path, `${found.location}/`);
      else if (entry.isFile()) yield found;
    }
  } catch (error) {
    // A directory may go while the others are read.
    const isPassedOver = location === LOST_AND_FOUND && isFault(error, 'EACCES', 'EPERM');
    if (!isMissing(error) && !isPassedOver) throw error;
  }
}
