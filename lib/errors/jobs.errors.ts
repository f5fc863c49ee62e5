import { FilesError } from './files-error.js';

/**
 * A job was queued with a payload that is not the same any more once it was JSON, or is too large. Nothing was queued.
 */
export class JobPayloadInvalidError extends FilesError {
  readonly code = 'FILES_JOB_PAYLOAD_INVALID';

  constructor(
    /** The job's name. */
    readonly job: string,
    /** Where in the payload: `payload.items[3].at`. */
    readonly place: string,
    what: string,
    remedy: string,
  ) {
    super(`The job "${job}" was queued, and its ${place} ${what}. ${remedy}.`);
  }
}

/** A job was queued, or an engine configured, with an option that makes no sense. */
export class JobOptionInvalidError extends FilesError {
  readonly code = 'FILES_JOB_OPTION_INVALID';

  constructor(
    /** The option's name. */
    readonly option: string,
    /** What was given. */
    readonly value: unknown,
    expected: string,
  ) {
    super(`The job option "${option}" is ${String(value)}; it must be ${expected}.`);
  }
}

/** A job was queued that no provider of this process handles. Nothing was queued. */
export class JobUnknownError extends FilesError {
  readonly code = 'FILES_JOB_UNKNOWN';

  constructor(
    /** The job's name. */
    readonly job: string,
    /** The names of the jobs that have a handler. */
    readonly known: readonly string[],
  ) {
    super(
      `No provider has a method with @FileJob(${JSON.stringify(job)}). Known jobs: ${known.join(', ') || 'none'}. Add the provider to a module; or, ` +
        'where another process runs the jobs, say so: FilesModule.forRoot({ jobs: { work: false } }).',
    );
  }
}

/** The engine did not take jobs that a unit of work had queued; the unit was rolled back. */
export class JobsRefusedError extends FilesError {
  readonly code = 'FILES_JOBS_REFUSED';

  constructor(why: string, options?: ErrorOptions) {
    super(`The unit of work was rolled back, because its jobs were not taken: ${why}.`, options);
  }
}

/** A job was run by somebody else meanwhile, or its time had run out; what this run did was rolled back. */
export class JobLostError extends FilesError {
  readonly code = 'FILES_JOB_LOST';

  constructor(
    /** The job's name. */
    readonly job: string,
    /** The job's id. */
    readonly id: string,
  ) {
    super(
      `This process did not have the job "${job}" (${id}) any more when it had run; what the run did was rolled back.`,
    );
  }
}

/** A run of a job took longer than its `timeout`. What it did in its unit of work was rolled back. */
export class JobTimeoutError extends FilesError {
  readonly code = 'FILES_JOB_TIMEOUT';

  constructor(
    /** The job's name. */
    readonly job: string,
    /** The job's id. */
    readonly id: string,
    milliseconds: number,
  ) {
    super(
      `The job "${job}" (${id}) had not ended after ${milliseconds} ms. Raise the \`timeout\` of its @FileJob(), or do less in it.`,
    );
  }
}
