import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import type { StorageLimits } from '../storage-limits.js';
import type { FsModes } from './fs-root.js';

export interface FsStorageOptions extends StorageLimits {
  /** The directory of the files; made at boot if it is missing. Only the application may write to it. */
  root: string;
  /** Waits until the disk has the bytes. Without it a power cut can leave files empty. @default true */
  fsync?: boolean;
  /** The modes of new files and directories, whatever the umask is. @default { file: 0o600, directory: 0o700 } */
  modes?: {
    /** Such as `0o640`. */
    file?: number;
    /** Such as `0o750`. */
    directory?: number;
  };
}

/** Fills in the defaults; throws `StorageOptionInvalidError` for a mode that would lock out the application itself. */
export function readModes(asked: FsStorageOptions['modes']): FsModes {
  const { file = 0o600, directory = 0o700 } = asked ?? {};
  for (const [name, mode, least] of [
    ['file', file, 0o600],
    ['directory', directory, 0o700],
  ] as const) {
    const isMode = Number.isInteger(mode) && mode <= 0o7777 && (mode & least) === least;
    if (!isMode)
      throw new StorageOptionInvalidError(
        `modes.${name}`,
        mode,
        `a mode with which the application itself may read and write, like 0o${least.toString(8)}`,
      );
  }
  return { file, directory, isAsked: asked !== undefined };
}
