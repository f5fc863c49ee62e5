import { SetMetadata } from '@nestjs/common';

/** Metadata key of a method that works a job off. */
export const FILE_JOB = Symbol('FILE_JOB');

/** How a job is run. Times are in milliseconds. */
export interface FileJobOptions {
  /**
   * How many of its kind run at once in this process. With 1 they begin in the order in which they are due. @default 4
   */
  concurrency?: number;
  /** How often it is run before it is given up. @default 10 */
  attempts?: number;
  /** From the first failure to the next attempt; it doubles with each, up to an hour. @default 1000 */
  backoff?: number;
  /** After which a run is ended: its signal is aborted and its unit of work rolled back. @default 60_000 */
  timeout?: number;
  /**
   * Whether a run is a unit of work, whose commit marks the job done: what it writes is written once. With `false` no
   * transaction is open while it runs, and a crash right after it lets it run again. @default true
   */
  unit?: boolean;
  /**
   * Called when the job is given up, outside of a unit of work; perhaps more than once.
   * @internal
   */
  gaveUp?(payload: unknown, why: string): Promise<void>;
}

/** What a handler is told of its run. */
export interface JobContext {
  /** The job's id; the same in every attempt. */
  readonly id: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Is aborted when the run has to end: at its timeout, and when a shutdown waits no longer. */
  readonly signal: AbortSignal;
}

/** What `@FileJob()` leaves on the method. */
export interface JobDecoration {
  readonly name: string;
  readonly options: FileJobOptions;
}

type JobMethod = (payload: never, context: JobContext) => unknown;

/**
 * Makes a provider's method run the jobs of this name. A run that throws is tried again.
 *
 *     @FileJob('thumbnail') async run({ fileId }: { fileId: string }, { signal }: JobContext) { … }
 */
export function FileJob(
  name: string,
  options: FileJobOptions = {},
): <T extends JobMethod>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T>) => void {
  return SetMetadata(FILE_JOB, { name, options } satisfies JobDecoration);
}
