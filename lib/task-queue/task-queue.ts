import { Injectable, Optional } from '@nestjs/common';
import { RuntimeMissingError } from '../errors/setup.errors.js';
import { TaskQueueMissingError } from '../errors/units.errors.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { isHandedOtherTransaction } from '../unit-of-work/scopes/handed-transaction.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { UnitOptions } from '../unit-of-work/unit-options.js';
import { copyPayload, JobIntake } from './job-intake.js';
import type { EnqueueOptions } from './job-intake.js';
import { openQueue, queueOf, currentQueue } from './unit-queue.js';
import type { UnitQueue } from './unit-queue.js';
import type { TaskLike } from './task.js';

/** The task queue of the current call. One instance serves all calls. */
@Injectable()
export class TaskQueue {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    @Optional() private readonly intake?: JobIntake,
  ) {}

  /** Whether a unit of work is open here. */
  get isActive(): boolean {
    return this.#find() !== undefined;
  }

  /** How many tasks wait to run; 0 outside of a unit of work. */
  get size(): number {
    return this.#find()?.size ?? 0;
  }

  /** Queues a task; throws TaskQueueMissingError outside of a unit of work. */
  add(task: TaskLike): void {
    this.#get('A task was queued').add(task);
  }

  /** Names the entity that a DTO became, for results that do not show it. */
  bind(dto: object, entity: object): void {
    this.#get('bind() was called').bind(dto, entity);
  }

  /**
   * Queues a job. It exists if and only if the unit is committed. Then it runs at least once, even if this process
   * dies. A job whose `key` is in use is ignored. The payload is JSON of at most 64 KiB. Throws `JobUnknownError`,
   * `JobPayloadInvalidError`, `JobOptionInvalidError` and `RuntimeMissingError`. Outside of a unit of work, throws
   * `TaskQueueMissingError`.
   * @example queue.enqueue('thumbnail', { fileId: file.id })
   */
  enqueue(job: string, payload: unknown, options: EnqueueOptions = {}): void {
    const unit = this.transactor.current();
    if (!unit) throw new TaskQueueMissingError(TaskQueueMissingError.remedy('A job was queued'));
    if (!this.intake) throw new RuntimeMissingError(`The job "${job}" was queued, and nobody takes jobs`);
    // Later changes of the caller's object do not change the job.
    this.intake.add(unit, job, copyPayload(job, payload), options);
  }

  /** Runs `effect` after the root unit has committed, in order; a failure is logged, never the caller's. */
  afterCommit(effect: () => unknown): void {
    this.#get('afterCommit() was called').unit.afterCommit(effect);
  }

  /** Runs `effect` after this unit's work has been undone; a failure is logged. */
  afterRollback(effect: () => unknown): void {
    this.#get('afterRollback() was called').unit.afterRollback(effect);
  }

  /**
   * Runs `work` in a unit of work with a new queue, which drains before the commit.
   * @example const pkg = await queue.run(async () => { queue.add(notify); return packages.save(dto); });
   */
  run<T>(work: () => T | Promise<T>, options: UnitOptions = {}): Promise<T> {
    return this.runQueued(async (queue) => {
      const result = await work();
      await queue.drain(result);
      return result;
    }, options);
  }

  /**
   * Runs `work` in a unit of work and gives it the queue, which it has to drain.
   * @internal
   */
  runQueued<T>(work: (queue: UnitQueue) => Promise<T>, options: UnitOptions = {}): Promise<T> {
    return this.transactor.run((unit) => work(openQueue(unit)), options);
  }

  /** Whether an argument has an open transaction that a unit opened here would not join. */
  isHandedOtherTransaction(args: readonly unknown[]): boolean {
    return isHandedOtherTransaction(this.transactor.dataSource, args);
  }

  /** Runs `fn` outside of any unit of work, so that what it starts may outlive the unit. */
  static detach<T>(fn: () => T): T {
    return detach(fn);
  }

  #find(): UnitQueue | undefined {
    return queueOf(this.transactor.current());
  }

  #get(what: string): UnitQueue {
    const queue = this.#find();
    if (!queue) throw new TaskQueueMissingError(TaskQueueMissingError.remedy(what));
    return queue;
  }
}

/**
 * Queues a task in the current unit of work, from code without injection; throws TaskQueueMissingError outside of one.
 */
export function addTask(task: TaskLike): void {
  const queue = currentQueue();
  if (!queue) throw new TaskQueueMissingError();
  queue.add(task);
}
