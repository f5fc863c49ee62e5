import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';

// A few kilobytes each.
const MAX_KEPT = 5_000;

/** The hash of the bytes of an upload up to an offset. */
export interface RunningHash {
  offset: number;
  readonly hash: Hash;
}

/**
 * The hashes of uploads whose bytes have all come through this process, from the first one on, so that a complete
 * upload need not be read again. A hash that is missing costs a reading, and nothing else: one is given up whenever it
 * is not sure what the storage has.
 */
@Injectable()
export class RunningHashes {
  readonly #kept = new Map<string, RunningHash>();

  /** Takes the hash of all bytes before the offset, if it is known. It has to be kept again. */
  take(id: string, offset: number, algorithm: string): RunningHash | undefined {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (offset === 0) return { offset, hash: createHash(algorithm) };
    return kept?.offset === offset ? kept : undefined;
  }

  /**
   * Keeps the hash, because the storage has exactly these bytes. The oldest ones are given up if there are too many.
   */
  keep(id: string, running: RunningHash): void {
    this.#kept.set(id, running);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** The same chunks, which are hashed on their way. */
export async function* hashed(
  content: AsyncIterable<Uint8Array>,
  running: RunningHash,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of content) {
    running.hash.update(chunk);
    running.offset += chunk.length;
    yield chunk;
  }
}
