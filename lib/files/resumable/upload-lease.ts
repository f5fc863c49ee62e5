import { UploadBusyError } from '../../errors/uploads.errors.js';
import type { ArrivingContent } from './resumable-types.js';

/** The right of one request to append to an upload. */
export class UploadLease {
  readonly #over: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  #settle = (): void => {};
  #stop = (): void => {};
  #isPulling = false;
  #hasMoved = true;
  #isLost = false;
  #renewedAt = performance.now();
  /** Whether the upload has ended, and the lease with it. */
  isSpent = false;

  /** `renew` writes the lease again, and tells whether it was still there. */
  constructor(
    private readonly uploadId: string,
    private readonly renew: () => Promise<boolean>,
    /** Milliseconds. */
    private readonly lasts: number,
  ) {
    this.#over = new Promise((resolve) => (this.#settle = resolve));
    this.#timer = setInterval(() => void this.#tick(), lasts / 3).unref();
  }

  /**
   * The chunks of the content, as long as the lease holds; throws `UploadBusyError` once it is lost, also at the end of
   * the content. While the client sends nothing, the lease is not renewed: another request may go on then.
   */
  async *watched(content: ArrivingContent): AsyncGenerator<Uint8Array, void> {
    const chunks = content[Symbol.asyncIterator]();
    this.#stop = () => content.stop(new UploadBusyError(this.uploadId));
    try {
      for (;;) {
        this.assertHeld();
        this.#isPulling = true;
        const { done, value } = await chunks.next();
        this.#isPulling = false;
        this.#hasMoved = true;
        // The client has paused, or was cut off: another request may have gone on meanwhile, and the file may even be
        // complete. At the end, too: the storage writes the rest then.
        if (performance.now() - this.#renewedAt > this.lasts / 2) await this.#renew();
        this.assertHeld();
        if (done === true) return;
        yield value;
      }
    } finally {
      this.#isPulling = false;
      await chunks.return?.();
    }
  }

  /** Throws `UploadBusyError` if another request has the lease now. */
  assertHeld(): void {
    if (this.#isLost) throw new UploadBusyError(this.uploadId);
  }

  /** Ends the content that is watched, and waits until the request is over. */
  async giveUp(): Promise<void> {
    this.#lose();
    await this.#over;
  }

  /** The request is over. */
  end(): void {
    clearInterval(this.#timer);
    this.#settle();
  }

  async #tick(): Promise<void> {
    const isIdle = this.#isPulling && !this.#hasMoved;
    this.#hasMoved = false;
    if (!isIdle) await this.#renew();
  }

  async #renew(): Promise<void> {
    const now = performance.now();
    // A lease that cannot be renewed counts as lost: whoever asks for the offset then is told what is there.
    if (await this.renew().catch(() => false)) this.#renewedAt = now;
    else this.#lose();
  }

  #lose(): void {
    this.#isLost = true;
    this.#stop();
  }
}
