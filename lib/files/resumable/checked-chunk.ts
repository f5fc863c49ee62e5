import { createHash, randomUUID } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Larger content waits in a file until it has been checked.
const IN_MEMORY = 256 * 1024;
const READ_SIZE = 256 * 1024;

/** A checksum that content is to have. */
export interface ChunkChecksum {
  /** An algorithm of `node:crypto`. */
  algorithm: string;
  /** The hash. */
  hash: Buffer;
}

/**
 * Reads all of the content, checks it, and runs `work` with it. None of it reaches the storage before that: a storage
 * may be unable to take bytes back, and a crash meanwhile must not leave bytes that nobody has checked. Throws
 * `wrong()` for other content.
 */
export async function withChecked<T>(
  content: AsyncIterable<Uint8Array>,
  { algorithm, hash }: ChunkChecksum,
  wrong: () => Error,
  work: (content: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const found = createHash(algorithm);
  const spool = new Spool();
  try {
    for await (const chunk of content) {
      found.update(chunk);
      await spool.add(chunk);
    }
    if (!found.digest().equals(hash)) throw wrong();
    return await work(spool.content());
  } finally {
    await spool.close();
  }
}

/** Content that waits: in memory while it is small, else in a temporary file. */
class Spool {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #file: { handle: FileHandle; path: string } | undefined;

  async add(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= IN_MEMORY) await this.#flush();
  }

  async *content(): AsyncGenerator<Uint8Array, void> {
    if (this.#file === undefined) return yield* this.#chunks;
    await this.#flush();
    const { handle } = this.#file;
    for (let at = 0; ;) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_SIZE), 0, READ_SIZE, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  async close(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.handle.close();
    await unlink(this.#file.path);
  }

  async #flush(): Promise<void> {
    this.#file ??= await newFile();
    const bytes = Buffer.concat(this.#chunks);
    [this.#chunks, this.#size] = [[], 0];
    for (let at = 0; at < bytes.length;) at += (await this.#file.handle.write(bytes, at)).bytesWritten;
  }
}

async function newFile(): Promise<{ handle: FileHandle; path: string }> {
  const path = join(tmpdir(), `nestjs-files-${randomUUID()}`);
  return { handle: await open(path, 'wx+', 0o600), path };
}
