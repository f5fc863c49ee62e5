import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bytes } from '../../storage/reads-together.js';

/** A limit to the bytes that pass in a second, for all streams together. */
export class Pace {
  /** When the next bytes may pass, in milliseconds of `now()`. */
  #freeAt = 0;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly now: () => number = () => performance.now(),
    private readonly sleep: (milliseconds: number) => Promise<unknown> = delay,
  ) {}

  /** The same bytes, at this pace. The source is destroyed with the returned stream. */
  through(source: Bytes): Readable {
    const paced = Readable.from(this.#paced(source), { objectMode: false });
    if (!('destroy' in source)) return paced;
    // An error before the stream is read is thrown when it is read.
    source.on('error', () => {});
    // Also if nobody has read it: then the generator has not begun.
    return paced.once('close', () => source.destroy());
  }

  async *#paced(source: Bytes): AsyncGenerator<Buffer, void> {
    for await (const chunk of source as Iterable<Buffer> | AsyncIterable<Buffer>) {
      await this.#pass(chunk.length);
      yield chunk;
    }
  }

  /** Waits for the bytes that were before these. */
  async #pass(bytes: number): Promise<void> {
    const now = this.now();
    const begin = Math.max(now, this.#freeAt);
    this.#freeAt = begin + (bytes / this.bytesPerSecond) * 1000;
    if (begin > now) await this.sleep(begin - now);
  }
}
