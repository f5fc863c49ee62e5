import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { jobTrace } from '../diagnostics/traces.js';
import { JobLostError, JobTimeoutError } from '../errors/jobs.errors.js';
import { UnitTimeoutError } from '../errors/units.errors.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { within } from '../unit-of-work/scopes/ambient.js';
import { untilAborted } from '../unit-of-work/until-aborted.js';
import type { JobContext } from './file-job.decorator.js';
import type { TakenJob } from './job-engine.js';
import { JobHandlers } from './job-handlers.js';
import type { JobHandler } from './job-handlers.js';
import { LONGEST_TIMER } from '../unit-of-work/ends-within.js';

type Done = (manager: EntityManager) => Promise<boolean>;

/** Runs handlers, each run in a unit of work of its own. */
@Injectable()
export class JobRuns {
  constructor(
    private readonly queue: TaskQueue,
    private readonly handlers: JobHandlers,
  ) {}

  /** As `JobHost.run()`. */
  async run(job: TakenJob, stopping: AbortSignal, done: Done): Promise<void> {
    const handler = this.handlers.all.get(job.name);
    if (!handler) throw new JobLostError(job.name, job.id);
    const { id, name, attempt, data } = job;
    const ending = new AbortController();
    const end = (): void => ending.abort(stopping.reason);
    if (stopping.aborted) end();
    stopping.addEventListener('abort', end, { once: true });
    const late = endAfter(handler.timeout, () => ending.abort(new JobTimeoutError(name, id, handler.timeout)));
    const context: JobContext = { id, attempt, signal: ending.signal };
    const run = handler.unit
      ? () => this.#inUnit(handler, job, context, stopping, done)
      : () => this.#alone(handler, job, context, done);
    try {
      // Outside of the async flow that queued the job or looked for it.
      await within(undefined, () => jobTrace.run(() => ({ job: name, id, attempt, carrier: data.carrier ?? {} }), run));
    } catch (error) {
      // The unit has the same timeout, and its error knows nothing of the job.
      const reason: unknown = ending.signal.reason;
      if (error instanceof UnitTimeoutError && reason instanceof JobTimeoutError) throw reason;
      throw error;
    } finally {
      clearTimeout(late);
      stopping.removeEventListener('abort', end);
    }
  }

  /** As `JobHost.gaveUp()`. */
  async gaveUp({ name, data }: TakenJob, why: string): Promise<void> {
    const handler = this.handlers.all.get(name);
    await within(undefined, async () => handler?.gaveUp?.(data.payload, why));
  }

  #inUnit(
    { name, timeout, run }: JobHandler,
    job: TakenJob,
    context: JobContext,
    signal: AbortSignal,
    done: Done,
  ): Promise<void> {
    return this.queue.runQueued(
      async (queue) => {
        await queue.drain(await run(job.data.payload, context));
        await mark(job, queue.unit.manager, done);
      },
      { name: `job ${name}`, timeout, signal },
    );
  }

  async #alone(handler: JobHandler, job: TakenJob, context: JobContext, done: Done): Promise<void> {
    context.signal.throwIfAborted();
    await untilAborted((async () => handler.run(job.data.payload, context))(), context.signal);
    await this.queue.runQueued(({ unit }) => mark(job, unit.manager, done), { name: `end of job ${handler.name}` });
  }
}

/** Marks the job as done. Throws `JobLostError` if another process has the job, which rolls the run back. */
async function mark({ name, id }: TakenJob, manager: EntityManager, done: Done): Promise<void> {
  if (!(await done(manager))) throw new JobLostError(name, id);
}

function endAfter(timeout: number, end: () => void): NodeJS.Timeout | undefined {
  // A longer timer would fire immediately.
  return timeout > LONGEST_TIMER ? undefined : setTimeout(end, timeout);
}
