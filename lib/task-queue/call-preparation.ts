import type { ExecutionContext } from '@nestjs/common';
import type { Abandonment } from './abandonment.js';

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
