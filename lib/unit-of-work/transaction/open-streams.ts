import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** The streams of rows that a transaction has open. */
export class OpenStreams {
  readonly #streams = new Set<Readable>();
  #isOver = false;

  /** Resolves once the stream has been closed. Its errors reach the reader; here only its end counts. */
  async closed(stream: Readable): Promise<void> {
    this.#streams.add(stream);
    if (this.#isOver) stream.destroy();
    await finished(stream, { readable: true, writable: false }).catch(() => undefined);
    this.#streams.delete(stream);
  }

  /** Destroys them, and each one that is opened from now on. */
  destroy(): void {
    this.#isOver = true;
    for (const stream of this.#streams) stream.destroy();
  }
}
