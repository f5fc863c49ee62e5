import { mkdir, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { MarkPlace } from '../mark-place.js';
import { publish } from './fs-publish.js';
import { isFault, isMissing, syncDirectory } from './fs-root.js';
import type { FsModes, FsRoot } from './fs-root.js';
import { partialOf } from './fs-walk.js';

/** Where the mark is in its root: no location of a file. */
export const FS_MARK = '.nestjs-files/mark';

/** The mark of a directory: a file in it, which is not there where the directory is not mounted. */
export class FsMark implements MarkPlace {
  #seen: { key: string; mark: string } | undefined;

  constructor(
    readonly place: string,
    private readonly root: FsRoot,
    private readonly modes: FsModes,
  ) {}

  /** The path itself, if nothing is there. */
  async resolved(): Promise<string> {
    try {
      return this.root.real ?? (await realpath(this.place));
    } catch (error) {
      if (isMissing(error)) return this.place;
      throw error;
    }
  }

  /** Reads the file when it is another than before; looking at it is one call. */
  async read(): Promise<string | undefined> {
    try {
      const path = this.#path;
      const { dev, ino, mtimeNs, size } = await stat(path, { bigint: true });
      const key = [dev, ino, mtimeNs, size].join(' ');
      if (this.#seen?.key !== key) this.#seen = { key, mark: await readFile(path, 'utf8') };
      return this.#seen.mark;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  create(mark: string): Promise<boolean> {
    return this.#write(mark, (partial, path) => publish(partial, path, this.modes.file));
  }

  async replace(mark: string): Promise<void> {
    await this.#write(mark, (partial, path) => rename(partial, path));
  }

  async #write<T>(mark: string, place: (partial: string, path: string) => Promise<T>): Promise<T> {
    const root = await this.root.prepare();
    const path = this.#path;
    const directory = dirname(path);
    await mkdir(directory, { mode: this.modes.directory }).catch((error: unknown) => {
      if (!isFault(error, 'EEXIST')) throw error;
    });
    const partial = join(directory, partialOf('mark'));
    try {
      const handle = await open(partial, 'wx', this.modes.file);
      try {
        await handle.writeFile(mark);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      const placed = await place(partial, path);
      await syncDirectory(directory);
      await syncDirectory(root);
      return placed;
    } finally {
      await unlink(partial).catch(() => {}); // gone already, or swept as any other leftover
    }
  }

  /** Where the bytes are: a link on the way may lead elsewhere by now. */
  get #path(): string {
    return join(this.root.real ?? this.place, FS_MARK);
  }
}
