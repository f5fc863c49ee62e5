import type { ExecutionContext } from '@nestjs/common';

/** A call that was readied. */
export interface PreparedCall {
  /** Called after the drain of each attempt; what it throws rolls the unit of work back. */
  beforeCommit(): void;
  /** Called when the call is over, however it ended; never throws. */
  end(): Promise<void>;
}

/**
 * Readies the call of a decorated route before its unit of work opens. It is a port: the task queue knows nothing of what comes with
 * a request.
 */
export abstract class CallPreparation {
  /** Nothing, at once, where there is nothing to do. What it throws answers the request. */
  abstract prepare(context: ExecutionContext, abandonment: Abandonment): Promise<PreparedCall> | undefined;
}

type End = (reason: Error) => void;

/** Tells what a call has started that nobody waits for it any more. An AbortController for each call would cost more than all that is done with it. */
export class Abandonment {
  #reason: Error | undefined;
  readonly #ends: End[] = [];

  /** Calls `end` when nobody waits any more, at once if that is so already. */
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
