import { Injectable } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { JobOptionInvalidError } from '../errors/jobs.errors.js';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { decoratedMethods } from '../task-queue/decorated-methods.js';
import { FILE_JOB } from './file-job.decorator.js';
import type { FileJobOptions, JobContext, JobDecoration } from './file-job.decorator.js';

type JobLimits = Required<Omit<FileJobOptions, 'gaveUp'>> & Pick<FileJobOptions, 'gaveUp'>;

/** A method that runs jobs, and how. */
export interface JobHandler extends JobLimits {
  /** The job's name. */
  readonly name: string;
  /** `Provider.method`, for messages. */
  readonly place: string;
  /** Calls the method. */
  run(payload: unknown, context: JobContext): unknown;
}

// What all engines take for the name of a queue.
const NAME = /^[\w.-]{1,64}$/;
const DEFAULTS = { concurrency: 4, attempts: 10, backoff: 1_000, timeout: 60_000, unit: true };

/** The methods with `@FileJob()` among the application's providers. */
@Injectable()
export class JobHandlers implements OnModuleInit {
  #found: ReadonlyMap<string, JobHandler> | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** By the jobs' names. They are looked for once, when all providers are there. */
  get all(): ReadonlyMap<string, JobHandler> {
    return (this.#found ??= this.#find());
  }

  onModuleInit(): void {
    void this.all;
  }

  #find(): Map<string, JobHandler> {
    const found = new Map<string, JobHandler>();
    const methods = decoratedMethods<JobDecoration, [unknown, JobContext]>(this.discovery, this.scanner, FILE_JOB);
    for (const { decoration, place, isSingleton, call } of methods) {
      const { name } = decoration;
      const refuse = (why: string): never => {
        throw new DecorationInvalidError(`@FileJob('${name}')`, place, why);
      };
      if (!isSingleton)
        refuse('its provider must be a singleton, and so must what that injects: jobs run outside of requests.');
      if (!NAME.test(name)) refuse('the name must consist of 1 to 64 letters, digits, "_", "-" and ".".');
      const other = found.get(name);
      if (other) refuse(`${other.place} has the job already. One job has one handler.`);
      const options = { ...DEFAULTS, ...decoration.options };
      checkOptions(options);
      found.set(name, { ...options, name, place, run: call });
    }
    return found;
  }
}

function checkOptions(options: JobLimits): void {
  for (const option of ['concurrency', 'attempts', 'backoff', 'timeout'] as const) {
    const value = options[option];
    const isForever = option === 'timeout' && value === Infinity;
    if (!isForever && (!Number.isSafeInteger(value) || value < 1))
      throw new JobOptionInvalidError(option, value, 'a whole number above zero');
  }
}
