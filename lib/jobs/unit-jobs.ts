import { Inject, Injectable, Optional } from '@nestjs/common';
import { enqueueTrace } from '../diagnostics/traces.js';
import { JobOptionInvalidError, JobUnknownError } from '../errors/jobs.errors.js';
import { UnitAbortedError } from '../errors/units.errors.js';
import { FILES_CLOCK } from '../files/clock.js';
import type { Clock } from '../files/clock.js';
import { uuidV7 } from '../files/file-id.js';
import type { EnqueueOptions, JobIntake } from '../task-queue/job-intake.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { JobEngine, NewJob, RunningEngine } from './job-engine.js';
import { JobHandlers } from './job-handlers.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import type { CheckedJobsOptions } from './jobs-options.js';

interface Pending {
  readonly job: NewJob;
  /** Whether the part of the unit that queued the job was undone. */
  readonly isUndone: () => boolean;
  /** `TransactionState.undone` when the job was queued. */
  readonly undone: number;
}

const PENDING = Symbol('nestjs-files:pending-jobs');
const MAX_KEY = 191;
// The last moment that a JavaScript `Date` can represent.
const LAST_MOMENT = 8.64e15;

/** Collects the jobs of each unit of work. The engine writes them before the unit ends. */
@Injectable()
export class UnitJobs implements JobIntake {
  readonly #engine: JobEngine;
  /** Hears of committed jobs, while the engine runs. */
  committed: RunningEngine['committed'];

  constructor(
    private readonly handlers: JobHandlers,
    @Inject(JOBS_OPTIONS) private readonly options: CheckedJobsOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {
    this.#engine = options.engine;
  }

  add(unit: UnitOfWork, name: string, payload: unknown, { key, delay = 0 }: EnqueueOptions): void {
    const handler = this.handlers.all.get(name);
    if (!handler && this.options.work) throw new JobUnknownError(name, [...this.handlers.all.keys()]);
    const now = this.now();
    if (!Number.isSafeInteger(delay) || delay < 0 || now + delay > LAST_MOMENT)
      throw new JobOptionInvalidError('delay', delay, `a whole number of milliseconds from 0 to ${LAST_MOMENT - now}`);
    if (key !== undefined && !isKey(key))
      throw new JobOptionInvalidError(
        'key',
        JSON.stringify(key),
        `a text of 1 to ${MAX_KEY} characters that does not begin or end with a space`,
      );
    const id = uuidV7();
    const carrier = enqueueTrace.note(() => ({ job: name, id, carrier: {} }))?.carrier;
    const data = carrier && Object.keys(carrier).length > 0 ? { payload, carrier: { ...carrier } } : { payload };
    this.#collect(unit, {
      id,
      name,
      key: key ?? null,
      data,
      createdAt: new Date(now),
      dueAt: new Date(now + delay),
      handler,
    });
  }

  #collect(unit: UnitOfWork, job: NewJob): void {
    const { root } = unit;
    const pending = root.slot<Pending[]>(PENDING, () => []);
    if (pending.length === 0) root.beforeEnd(() => this.#write(root, pending));
    pending.push({ job, isUndone: unit.watch(), undone: root.transactionState.undone });
  }

  async #write(root: UnitOfWork, pending: Pending[]): Promise<void> {
    const taken = pending.splice(0).filter(({ isUndone }) => !isUndone());
    const jobs = firstOfEachKey(taken.map(({ job }) => job));
    const [first] = jobs;
    if (!first) return;
    if (taken.some(({ undone }) => undone !== root.transactionState.undone)) {
      const why = `the job "${first.name}" was queued before a ROLLBACK TO SAVEPOINT in SQL, and it is not known whether this undid the job`;
      throw new UnitAbortedError(`${why}; use dataSource.transaction()`);
    }
    await this.#engine.write(root.manager, jobs);
    root.afterCommit(() => this.committed?.(jobs));
  }
}

/** Returns the jobs without duplicates: if several jobs have the same name and key, only the first. */
function firstOfEachKey(jobs: readonly NewJob[]): NewJob[] {
  const seen = new Set<string>();
  return jobs.filter(({ name, key }) => {
    const both = JSON.stringify([name, key]);
    const isFirst = key === null || !seen.has(both);
    seen.add(both);
    return isFirst;
  });
}

function isKey(key: unknown): boolean {
  return (
    typeof key === 'string' &&
    key.length > 0 &&
    key.length <= MAX_KEY &&
    key.trim() === key &&
    !/\0|\p{Surrogate}/u.test(key)
  );
}
