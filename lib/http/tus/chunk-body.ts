import type { IncomingMessage } from 'node:http';
import { UploadAbortedError, UploadMalformedError } from '../../errors/requests.errors.js';
import type { ArrivingContent } from '../../files/resumable/resumable-types.js';
import { watchArrival } from '../form/arrival.js';
import { watchCut } from '../form/cut-off.js';

/** The bytes of a request. */
export interface ChunkBody {
  /** Ends also where the request breaks off: what has come by then is kept. */
  content: ArrivingContent;
  /** Why it ended early; undefined if it is whole. */
  failure(): Error | undefined;
}

/**
 * Gives the body of a request to `store` while it arrives. When `store` fails, the rest of the request is left unread.
 */
export async function receiveChunk<T>(
  request: IncomingMessage,
  idleTimeout: number,
  store: (body: ChunkBody) => Promise<T>,
): Promise<T> {
  assertUnread(request);
  // Before anybody listens, which would let it flow.
  request.pause();
  const body = new RequestBody(request);
  const unwatch = watchArrival(request, idleTimeout, (error) => body.cut(error));
  try {
    return await store({ content: body, failure: () => body.failure });
  } finally {
    unwatch();
    body.leave();
  }
}

function assertUnread(request: IncomingMessage): void {
  if (request.readableEnded || request.readableDidRead) {
    throw new UploadMalformedError('a parser of the application had already read its body');
  }
  if (request.destroyed) throw new UploadAbortedError();
  if (!/^(?:identity)?$/i.test(request.headers['content-encoding'] ?? '')) {
    throw new UploadMalformedError('its content is encoded');
  }
}

/**
 * The body of a request, of which nothing is read before it is asked for, apart from the chunk that Node reads ahead:
 * there may be hundreds of requests at once. The request is paused meanwhile.
 */
class RequestBody implements ArrivingContent {
  failure: Error | undefined;
  #isOver = false;
  #stopped: Error | undefined;
  #chunks: Buffer[] = [];
  #wake = (): void => {};
  readonly #unwatch: () => void;

  constructor(private readonly request: IncomingMessage) {
    request.on('data', this.#take).on('end', this.#end);
    this.#unwatch = watchCut(request, this.#abort);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      if (this.#stopped) throw this.#stopped;
      const chunk = this.#chunks.shift();
      if (chunk) yield chunk;
      else if (this.#isOver) return;
      else await this.#arrival();
    }
  }

  stop(error: Error): void {
    this.#stopped ??= error;
    this.#wake();
  }

  /** The content ends here. */
  cut(error: Error): void {
    if (this.#isOver) return;
    this.failure = error;
    this.#end();
  }

  /** Reads no more. What is left of the request is somebody else's. */
  leave(): void {
    this.#unwatch();
    this.request.off('data', this.#take).off('end', this.#end);
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.request.resume();
    });
  }

  readonly #take = (chunk: Buffer): void => {
    this.request.pause();
    this.#chunks.push(chunk);
    this.#wake();
  };

  readonly #end = (): void => {
    this.#isOver = true;
    this.#wake();
  };

  readonly #abort = (): void => {
    if (this.#isOver) return;
    // What Node had read when the connection broke. No event tells of it any more.
    this.request.off('data', this.#take);
    for (let rest = this.#readAhead(); rest !== null; rest = this.#readAhead()) this.#chunks.push(rest);
    // All of the body had come.
    if (this.request.httpVersionMajor === 1 && this.request.complete) this.#end();
    else this.cut(new UploadAbortedError());
  };

  #readAhead(): Buffer | null {
    return this.request.read() as Buffer | null;
  }
}
