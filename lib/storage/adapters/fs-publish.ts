import { link, open, rename, unlink } from 'node:fs/promises';
import { isFault } from './fs-root.js';

// The errors of `link` on FAT, some network mounts and some containers.
const LINK_REFUSED = ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];

/**
 * Gives a complete file its final name, at once and never over another file: `false` when the name is taken. The
 * partial name may be left behind.
 */
export async function publish(partial: string, path: string, mode: number): Promise<boolean> {
  try {
    // `rename` would overwrite silently.
    await link(partial, path);
    return true;
  } catch (error) {
    if (isFault(error, 'EEXIST')) return false;
    if (isFault(error, ...LINK_REFUSED)) return publishByRename(partial, path, mode);
    throw error;
  }
}

// The placeholder takes the name exclusively; after a crash here it is an empty file without a row.
async function publishByRename(partial: string, path: string, mode: number): Promise<boolean> {
  try {
    await (await open(path, 'wx', mode)).close();
  } catch (error) {
    if (isFault(error, 'EEXIST')) return false;
    throw error;
  }
  try {
    await rename(partial, path);
    return true;
  } catch (error) {
    await unlink(path);
    throw error;
  }
}
