import type { ExecutionContext } from '@nestjs/common';
import { type DrainTrace, drainTrace, taskTrace } from '../diagnostics/traces.js';
import { TaskQueueMissingError, TaskFailedError } from '../errors/units.errors.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { LastStatement } from '../unit-of-work/dialects/dialect.js';
import { Fifo } from './fifo.js';
import { NO_PREVIOUS_TASK, Task, type TaskLike, taskName } from './task.js';

/** Runs several tasks at once, in a constant number of statements. */
export interface TaskBatch<T extends BatchTask> {
  /** Runs adjacent tasks, the first of which is number `idx`; resolves with what each of them returns. */
  run(tasks: readonly T[], queue: UnitQueue, idx: number): Promise<unknown[]>;
  /**
   * Called with all queued tasks of the batch before the first task of the queue runs, where they are not all adjacent.
   */
  prepare?(tasks: readonly T[], queue: UnitQueue): Promise<void>;
}

/** A task that runs together with its neighbours in the queue that have the same `batch`. */
export abstract class BatchTask<Value = unknown> extends Task {
  /**
   * The object that runs this task and its neighbours.
   * @internal
   */
  abstract get batch(): TaskBatch<never>;

  /** Runs this task alone, in the current unit of work. */
  async run(): Promise<Value> {
    const queue = currentQueue();
    if (!queue) throw new TaskQueueMissingError(TaskQueueMissingError.remedy(`${taskName(this)} was run`));
    const [value] = await this.batch.run([this] as never, queue, 0);
    return value as Value;
  }
}

type Batch = TaskBatch<never>;

/** The tasks of one unit of work, first in, first out, and the facts about its call. */
export class UnitQueue {
  /** The decorated method's arguments, as the pipes left them. */
  args: readonly unknown[] = [];
  /** The context of the route that opened the unit. */
  context: ExecutionContext | undefined;
  #result: unknown;
  readonly #tasks = new Fifo<TaskLike>();
  #drained = false;
  readonly #batches = new Set<Batch>();
  #lastBatch: Batch | undefined;
  #isScattered = false;
  #running: { readonly task: TaskLike; readonly idx: number; readonly count: number } | undefined;
  readonly #bindings = new Map<object, object>();

  constructor(readonly unit: UnitOfWork) {}

  /** The decorated method's own result; undefined until the drain starts. */
  get result(): unknown {
    return this.#result;
  }

  /** How many tasks wait to run. */
  get size(): number {
    return this.#tasks.size;
  }

  /** The tasks that wait to run. */
  tasks(): readonly TaskLike[] {
    return [...this.#tasks];
  }

  /** The tasks that run, or could run, as one batch with this task. */
  waitingWith<T extends BatchTask>({ batch }: T): readonly T[] {
    return [...this.#tasks].filter((task): task is T & TaskLike => batchOf(task) === batch);
  }

  add(task: TaskLike): void {
    if (this.#drained)
      throw new TaskQueueMissingError(TaskQueueMissingError.remedy('A task was queued after the queue had drained,'));
    this.#note(batchOf(task));
    this.#tasks.push(task);
  }

  /** Names the entity that a DTO became, for results that do not show it. */
  bind(dto: object, entity: object): void {
    this.#bindings.set(dto, entity);
  }

  bound(dto: object): object | undefined {
    return this.#bindings.get(dto);
  }

  /** All bindings, for DTOs that a pipe has copied. */
  bindings(): ReadonlyMap<object, object> {
    return this.#bindings;
  }

  /**
   * Called by the running task: keeps its statement back and sends it together with the COMMIT, or alone if another
   * statement has to run first. False, and nothing is held back, if more tasks wait, tasks are traced, or the unit
   * cannot do it.
   */
  endWith(last: Omit<LastStatement, 'errorOf'>): boolean {
    const running = this.#running;
    // The trace of a task has its duration and its error, so nothing is held back while tasks are traced.
    if (!running || this.#tasks.size > 0 || taskTrace.hasSubscribers || drainTrace.hasSubscribers) return false;
    const { task, idx, count } = running;
    const errorOf = (error: unknown): unknown =>
      TaskFailedError.blame(last.refusal(error) ?? error, taskName(task), idx, count);
    return this.unit.endWith({ ...last, errorOf });
  }

  /** Runs all tasks, those they add included; the first error ends it. */
  drain(result: unknown): Promise<void> {
    return drainTrace.run(
      () => ({ tasks: this.size }),
      (trace) => this.#drain(result, trace),
    );
  }

  async #drain(result: unknown, trace?: DrainTrace): Promise<void> {
    this.#result = result;
    if (this.#isScattered) await this.#prepare();
    const { hasSubscribers } = taskTrace;
    let prev: unknown = NO_PREVIOUS_TASK;
    let idx = 0;
    try {
      for (let task = this.#tasks.shift(); task; task = this.#tasks.shift()) {
        const batch = batchOf(task);
        const tasks = batch && [task, ...this.#takeWhile(batch)];
        const count = tasks?.length ?? 1;
        this.#running = { task, idx, count };
        try {
          const value = hasSubscribers
            ? this.#traced(task, tasks, batch, idx, prev)
            : this.#run(task, tasks, batch, idx, prev);
          prev = isThenable(value) ? await value : value;
        } catch (error) {
          throw TaskFailedError.blame(error, taskName(task), idx, count);
        }
        idx += count;
      }
    } finally {
      this.#running = undefined;
      if (trace) trace.tasks = idx;
      if (this.unit.trace) this.unit.trace.tasks += idx;
    }
    this.#drained = true;
  }

  #run(task: TaskLike, tasks: TaskLike[] | undefined, batch: Batch | undefined, idx: number, prev: unknown): unknown {
    if (batch) return batch.run(tasks as never, this, idx).then((values) => values.at(-1));
    return typeof task === 'function' ? task(this.#result as never, idx, prev) : task.run(this.#result, idx, prev);
  }

  #traced(
    task: TaskLike,
    tasks: TaskLike[] | undefined,
    batch: Batch | undefined,
    idx: number,
    prev: unknown,
  ): Promise<unknown> {
    return taskTrace.run(
      () => ({ name: taskName(task), idx, count: tasks?.length ?? 1 }),
      async () => this.#run(task, tasks, batch, idx, prev),
    );
  }

  // Tasks of one batch that are not all adjacent run in several groups.
  #note(batch: Batch | undefined): void {
    if (batch === this.#lastBatch) return;
    this.#lastBatch = batch;
    if (!batch) return;
    this.#isScattered ||= this.#batches.has(batch);
    this.#batches.add(batch);
  }

  async #prepare(): Promise<void> {
    const classes = new Map<Batch, { tasks: TaskLike[]; runs: number }>();
    let before: Batch | undefined;
    for (const task of this.tasks()) {
      const batch = batchOf(task);
      if (batch?.prepare) {
        const entry = classes.get(batch) ?? { tasks: [], runs: 0 };
        entry.tasks.push(task);
        if (batch !== before) entry.runs++;
        classes.set(batch, entry);
      }
      before = batch;
    }
    for (const [batch, { tasks, runs }] of classes) if (runs > 1) await batch.prepare?.(tasks as never, this);
  }

  #takeWhile(batch: Batch): TaskLike[] {
    const taken: TaskLike[] = [];
    for (let next = this.#tasks.peek(); next && batchOf(next) === batch; next = this.#tasks.peek()) {
      taken.push(next);
      this.#tasks.shift();
    }
    return taken;
  }
}

function batchOf(task: TaskLike): Batch | undefined {
  return task instanceof BatchTask ? task.batch : undefined;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

const QUEUE = Symbol('nestjs-files:queue');

/** Opens a queue for the unit of work. */
export function openQueue(unit: UnitOfWork): UnitQueue {
  return unit.slot(QUEUE, () => new UnitQueue(unit));
}

/** The queue of the unit, or of the nearest unit around it that has one. */
export function queueOf(unit: UnitOfWork | undefined): UnitQueue | undefined {
  for (let at = unit; at; at = at.parent) {
    const queue = at.peek<UnitQueue>(QUEUE);
    if (queue) return queue;
  }
  return undefined;
}

/** The queue that tasks queued in this flow go to; undefined outside of a unit of work. */
export function currentQueue(): UnitQueue | undefined {
  return queueOf(currentUnit());
}
