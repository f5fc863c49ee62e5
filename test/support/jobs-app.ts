import { EventEmitter, once } from 'node:events';
import { type DynamicModule, Injectable, type ModuleMetadata, type Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, type DataSourceOptions, Entity, PrimaryGeneratedColumn, type Repository } from 'typeorm';
import { ActorSource, type Actor } from '../../lib/actor/actor.js';
import { FileJob, type JobContext } from '../../lib/jobs/file-job.decorator.js';
import { FilesJobs } from '../../lib/jobs/files-jobs.js';
import type { JobsOptions } from '../../lib/jobs/jobs-options.js';
import { FilesModule } from '../../lib/files.module.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { TaskQueue } from '../../lib/task-queue/task-queue.js';

/** What a job, or a unit that queued one, has written. */
@Entity('job_note')
export class JobNote {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') text!: string;
}

/** The timeout of jobs "brief" in milliseconds: only they have timers of this time, which a test can hold. */
export const BRIEF = 43_210;

/** A run of a job, as its handler sees it. */
export interface Run {
  readonly payload: unknown;
  readonly context: JobContext;
}

const GIVEN_UP: [unknown, string][] = [];

/** What the handlers of a test do, and when they did. */
export class JobScript {
  readonly runs: Run[] = [];
  /** The payloads of jobs "doomed" that were given up, and why; of all applications since the last one began. */
  readonly givenUp = GIVEN_UP;
  readonly #events = new EventEmitter();

  /** @param work what a handler does; without it, it writes a note of its payload */
  constructor(readonly work?: (run: Run) => unknown) {}

  async play(payload: unknown, context: JobContext, write: (text: string) => Promise<unknown>): Promise<void> {
    const run = { payload, context };
    this.runs.push(run);
    this.#events.emit('run');
    await (this.work ? this.work(run) : write(String(payload)));
  }

  /** Resolves when so many runs have begun. */
  async begun(count: number): Promise<void> {
    while (this.runs.length < count) await once(this.#events, 'run');
  }

  /** The payloads of the runs, in the order in which they began. */
  get payloads(): unknown[] {
    return this.runs.map(({ payload }) => payload);
  }
}

@Injectable()
class Handlers {
  constructor(
    private readonly script: JobScript,
    private readonly dataSource: DataSource,
  ) {}

  @FileJob('note', { backoff: 1, attempts: 3 })
  note(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  @FileJob('ordered', { concurrency: 1 })
  ordered(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  @FileJob('brief', { timeout: BRIEF, attempts: 1 })
  brief(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  @FileJob('alone', { unit: false, backoff: 1, attempts: 3 })
  alone(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  @FileJob('single', { unit: false, concurrency: 1 })
  single(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  @FileJob('doomed', { attempts: 2, backoff: 1, gaveUp: async (...told) => void GIVEN_UP.push(told) })
  doomed(payload: unknown, context: JobContext): Promise<void> {
    return this.script.play(payload, context, (text) => this.notes.insert({ text }));
  }

  private get notes(): Repository<JobNote> {
    return this.dataSource.getRepository(JobNote);
  }
}

export interface JobsAppOptions {
  /** The database, which has its tables already. */
  readonly database: DataSourceOptions;
  readonly jobs?: JobsOptions;
  readonly script?: JobScript;
  readonly shutdownTimeout?: number;
  /** In place of the module that `jobs` would make. */
  readonly module?: DynamicModule;
  /** More modules. */
  readonly imports?: ModuleMetadata['imports'];
  /** In place of the handlers that play the script. */
  readonly providers?: Provider[];
}

export interface JobsApp {
  readonly queue: TaskQueue;
  readonly jobs: FilesJobs;
  readonly dataSource: DataSource;
  readonly script: JobScript;
  /** Who acts where it is called. */
  actor(): Promise<Actor | null>;
  /** Writes a note, in a unit of work where one is open. */
  write(text: string): Promise<unknown>;
  close(): Promise<void>;
}

/** An application with jobs and notes, without routes. */
export async function jobsApp(options: JobsAppOptions): Promise<JobsApp> {
  const { database, jobs = {}, script = new JobScript(), shutdownTimeout = 10_000 } = options;
  const { imports = [], providers = [Handlers] } = options;
  GIVEN_UP.length = 0;
  const testing = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
      TypeOrmModule.forFeature([JobNote]),
      options.module ??
        FilesModule.forRoot({ storages: { default: memoryStorage() }, http: false, jobs, shutdownTimeout }),
      ...imports,
    ],
    providers: [{ provide: JobScript, useValue: script }, ...providers],
  }).compile();
  testing.useLogger(false);
  const dataSource = testing.get(DataSource);
  try {
    await testing.init();
  } catch (error) {
    // What does not boot is not closed by anybody else.
    await dataSource.destroy();
    throw error;
  }
  return {
    queue: testing.get(TaskQueue),
    jobs: testing.get(FilesJobs),
    actor: () => testing.get(ActorSource).current(),
    dataSource,
    script,
    write: (text) => dataSource.getRepository(JobNote).insert({ text }),
    close: () => testing.close(),
  };
}
