import type { EnqueueOptions } from '../task-queue/job-intake.js';
import type { TaskLike } from '../task-queue/task.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { BatchTask, type UnitQueue } from '../task-queue/unit-queue.js';
import { servedBy } from '../task-queue/with-task-queue.decorator.js';
import type { UnitOptions } from '../unit-of-work/unit-options.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { noDatabase } from './no-database.js';

/**
 * A `TaskQueue` for tests of services with `@WithTaskQueue()`, without a database.
 * @example const service = testTaskQueue().serve(new Importer(queue, repositoryMock));
 */
export function testTaskQueue(): TestTaskQueue {
  return new TestTaskQueue();
}

/** A job that a test's unit of work has queued. */
export interface TestJob {
  /** The job's name. */
  readonly job: string;
  /** What its handler would get. */
  readonly payload: unknown;
  /** As given. */
  readonly options: EnqueueOptions;
}

/**
 * Units of work as they are, over a database that holds nothing: tasks run after the result is known, effects after the
 * commit, and `afterRollback` where the method or a task throws. Jobs are only noted, and so are batch tasks, such as
 * `OwnershipTransferTask`: they need a database. A `manager` to join, which would be a mock, is not looked at.
 */
export class TestTaskQueue extends TaskQueue {
  readonly #tasks: TaskLike[] = [];
  readonly #jobs: TestJob[];

  constructor() {
    const jobs: TestJob[] = [];
    super(new Transactor(noDatabase()), {
      add: (unit, job, payload, options) => unit.afterCommit(() => jobs.push({ job, payload, options })),
    });
    this.#jobs = jobs;
  }

  /** The jobs of units that were committed, in order, whether or not anybody handles them. */
  get jobs(): readonly TestJob[] {
    return this.#jobs;
  }

  /** All tasks that were queued, in order, also those of units that failed. */
  get tasks(): readonly TaskLike[] {
    return this.#tasks;
  }

  /** Runs the decorated methods of an object that Nest did not make in units of this queue, and gives the object. */
  serve<T extends object>(object: T): T {
    return servedBy(this, object);
  }

  /** @internal */
  override runQueued<T>(
    work: (queue: UnitQueue) => Promise<T>,
    { manager: _, ...options }: UnitOptions = {},
  ): Promise<T> {
    return super.runQueued((queue) => {
      const add = queue.add.bind(queue);
      queue.add = (task) => {
        add(task instanceof BatchTask ? () => undefined : task);
        this.#tasks.push(task);
      };
      return work(queue);
    }, options);
  }
}
