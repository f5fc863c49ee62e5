import type { Stats } from 'node:fs';
import { chmod, constants, lstat, mkdir, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { LocationInvalidError } from '../../errors/storage.errors.js';

// Measured: files go out faster in pieces of a mebibyte, and parts of them in as few pieces as that. Beyond a range
// nothing is read.
export const READ_SIZE = 1024 * 1024;
// Windows has no such flag.
export const OPEN_TO_READ = constants.O_RDONLY | ((constants.O_NOFOLLOW as number | undefined) ?? 0);

/** Who may read what is made. */
export interface FsModes {
  readonly file: number;
  readonly directory: number;
  /** Whether the application chose the mode: then it is applied exactly, without the umask. */
  readonly isAsked: boolean;
}

/** Where a location is on disk. */
export interface FsPlace {
  /** Free of symbolic links. */
  directory: string;
  path: string;
}

/**
 * The directory that holds a storage. Every location is resolved through the links on its way and refused when it leads
 * out. A swap between check and use remains possible, so only the application may write to the root.
 */
export class FsRoot {
  #real: string | undefined;

  constructor(
    private readonly path: string,
    private readonly modes: FsModes,
  ) {}

  /** The resolved path of the directory, once it is prepared: all bytes are below it, wherever links lead later. */
  get real(): string | undefined {
    return this.#real;
  }

  /** Makes the directory, if it is missing, and resolves it. */
  async prepare(): Promise<string> {
    // Directories above the root do not belong to the storage.
    await mkdir(dirname(this.path), { recursive: true });
    if ((await mkdir(this.path, { recursive: true, mode: this.modes.directory })) !== undefined)
      await this.#open(this.path);
    return (this.#real = await realpath(this.path));
  }

  /** Where the location is; `undefined` when its directory is missing. */
  async find(location: string): Promise<FsPlace | undefined> {
    const directory = await this.#findDirectory(dirname(location), location);
    return directory === undefined ? undefined : { directory, path: join(directory, basename(location)) };
  }

  /** Where the location is; its directory is made, and made to last, when it is missing. */
  async make(location: string): Promise<FsPlace> {
    const directory = await this.#makeDirectory(dirname(location), location);
    return { directory, path: join(directory, basename(location)) };
  }

  /** The process's umask may have closed more than was asked for. */
  async #open(directory: string): Promise<void> {
    if (this.modes.isAsked) await chmod(directory, this.modes.directory);
  }

  async #findDirectory(directory: string, location: string): Promise<string | undefined> {
    let root: string;
    let real: string;
    try {
      root = this.#real ?? (await realpath(this.path));
      real = await realpath(join(root, directory));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (!isInside(root, real)) throw new LocationInvalidError(location, 'it leads out of the root of its storage');
    return real;
  }

  // Not `mkdir -p`: it would follow a link out of the root before anything could be checked.
  async #makeDirectory(directory: string, location: string): Promise<string> {
    const found = await this.#findDirectory(directory, location);
    if (found !== undefined) return found;
    if (directory === '.') return this.prepare();
    const parent = await this.#makeDirectory(dirname(directory), location);
    try {
      const made = join(parent, basename(directory));
      await mkdir(made, { mode: this.modes.directory });
      await this.#open(made);
      await syncDirectory(parent);
    } catch (error) {
      if (isFault(error, 'ENOTDIR')) throw belowFile(location);
      if (!isFault(error, 'EEXIST')) throw error;
    }
    const made = await this.#findDirectory(directory, location);
    if (made === undefined) throw new LocationInvalidError(location, 'a link on its way leads nowhere');
    return made;
  }
}

/** Makes what was done to the names in the directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return; // it cannot open directories
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether the error is a file system error of Node with one of the codes. */
export function isFault(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The error of a location whose directory is a file. */
export function belowFile(location: string): LocationInvalidError {
  return new LocationInvalidError(location, 'a part of it is a file');
}

/** Whether the error says that nothing is at the path. */
export function isMissing(error: unknown): boolean {
  return isFault(error, 'ENOENT', 'ENOTDIR');
}

// Compared by segment: by prefix, `/data/files-private` would be inside `/data/files`.
function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return !isAbsolute(way) && way.split(sep)[0] !== '..';
}

/** What is at a place, a symbolic link as such; `undefined` for nothing. */
export async function look({ path }: Pick<FsPlace, 'path'>): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
