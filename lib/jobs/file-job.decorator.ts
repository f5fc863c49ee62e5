import { SetMetadata } from '@nestjs/common';

/** Metadata key of a method that runs jobs. */
export const FILE_JOB = Symbol('FILE_JOB');

/** Options of the jobs with one name. Times are in milliseconds. */
export interface FileJobOptions {
  /**
   * How many jobs of this name run at the same time in this process. With 1, they begin in the order of their due
   * times. @default 4
   */
  concurrency?: number;
  /** The number of attempts after which a job is given up. @default 10 */
  attempts?: number;
  /** The time from the first failure to the next attempt. It doubles with each attempt, up to an hour. @default 1000 */
  backoff?: number;
  /** The time after which a run is ended: its signal is aborted and its unit of work rolled back. @default 60_000 */
  timeout?: number;
  /**
   * Whether a run is a unit of work, whose commit marks the job as done, so that its writes happen once. With `false`,
   * no transaction is open during the run, and after a crash at its end the job runs again. @default true
   */
  unit?: boolean;
  /**
   * Called outside of a unit of work when the job is given up, perhaps more than once.
   * @internal
   */
  gaveUp?(payload: unknown, why: string): Promise<void>;
}

/** Describes a run to its handler. */
export interface JobContext {
  /** The job's id; the same in every attempt. */
  readonly id: string;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** Aborted when the run has to end: at its timeout, or when a shutdown has waited for `shutdownTimeout`. */
  readonly signal: AbortSignal;
}

/** The metadata that `@FileJob()` sets on the method. */
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
