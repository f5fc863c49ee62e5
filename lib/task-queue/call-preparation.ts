import type { ExecutionContext } from '@nestjs/common';

/** A call that was readied. */
export interface PreparedCall {
  /** Called after the drain of each attempt; an error rolls the unit of work back. */
  beforeCommit(): void;
  /** Called when the call is over, however it ended; never throws. */
  end(): Promise<void>;
}

/**
 * Prepares the call of a decorated route before its unit of work opens. It is a port: the task queue knows nothing of
 * files that come with a request.
 */
export abstract class CallPreparation {
  /** Returns nothing, at once, if there is nothing to do. An error answers the request. */
  abstract prepare(context: ExecutionContext, abandonment: Abandonment): Promise<PreparedCall> | undefined;
}

type End = (reason: Error) => void;

/** Tells the work of a call that its caller has given up. An AbortController for each call would cost too much. */
export class Abandonment {
  #reason: Error | undefined;
  readonly #ends: End[] = [];

  /** Calls `end` when the caller gives up, at once if it has already. */
  whenAbandoned(end: End): void {
    if (this.#reason) end(this.#reason);
    else this.#ends.push(end);
  }

  abandon(reason: Error): void {
    this.#reason = reason;
    for (const end of this.#ends.splice(0)) end(reason);
  }

  throwIfAbandoned(): void {
    if (this.#reason) throw this.#reason;
  }
}
