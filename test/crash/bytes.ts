import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { Storage } from 'nestjs-files/storage';
import { filesBelow, newDirectory } from '../support/files-directory.js';
import type { S3Place } from './s3-bytes.js';

/** Where a portal keeps its bytes, told to another process. */
export interface BytesPlace {
  /** The directory of `fsStorage`. */
  root?: string;
  /** Below which prefix of which bucket `s3Storage` has them. */
  s3?: S3Place;
}

/** Where portals keep their bytes, read bypassing the library. */
export interface Bytes {
  readonly place: BytesPlace;
  /** A storage for a portal in this process. */
  open(): Storage;
  /** The locations of all that is there, but for the mark; parts of what is not complete too. */
  locations(): Promise<string[]>;
  content(location: string): Promise<Buffer>;
  /** Removes all but what a portal that is about to start expects. */
  clear(): Promise<void>;
}

export class DirectoryBytes implements Bytes {
  readonly #root: string;

  constructor(root = newDirectory()) {
    this.#root = root;
  }

  get place(): BytesPlace {
    return { root: this.#root };
  }

  open(): Storage {
    return fsStorage({ root: this.#root, fsync: false });
  }

  locations(): Promise<string[]> {
    return filesBelow(this.#root);
  }

  content(location: string): Promise<Buffer> {
    return readFile(join(this.#root, location));
  }

  async clear(): Promise<void> {
    for (const directory of [this.#root, join(this.#root, '.nestjs-files')])
      for (const name of await readdir(directory))
        if (!['.nestjs-files', 'mark'].includes(name)) await rm(join(directory, name), { recursive: true });
  }
}
