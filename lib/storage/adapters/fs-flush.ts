import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

const FLUSH_SIZE = 64 * 1024 * 1024;

/**
 * Flushes a file to the disk, beginning while it is still written: at the end there is little left to wait for. Call
 * `finish` before the file is called stored, and in any case `settle` before it is closed.
 */
export class FsFlush {
  #written = 0;
  #latest: Promise<void> = Promise.resolve();

  constructor(private readonly handle: FileHandle) {}

  /** Bytes were written. Waits where the disk falls behind by more than one flush. */
  async add(size: number): Promise<void> {
    this.#written += size;
    if (this.#written < FLUSH_SIZE) return;
    this.#written = 0;
    await this.#latest;
    this.#latest = this.handle.datasync();
    this.#latest.catch(() => {}); // thrown where it is waited for
  }

  /**
   * Waits until the disk has all of it. Throws the error of any of the flushes, because the system reports a lost write
   * only once.
   */
  async finish(): Promise<void> {
    await this.#latest;
    await this.handle.datasync();
  }

  /** Waits until nothing uses the file any more. Never throws. */
  async settle(): Promise<void> {
    await this.#latest.catch(() => {});
  }
}

/** Waits until the disk has a file that was written by somebody else. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
