import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TaskQueueMissingError } from '../../../lib/errors/units.errors.js';
import { currentQueue, BatchTask, type TaskBatch, type UnitQueue } from '../../../lib/task-queue/unit-queue.js';
import type { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { queueApp, type QueueApp } from '../../support/queue-app.js';

let log: unknown[];
const names = (tasks: readonly { name: string }[]) => tasks.map(({ name }) => name).join(' ');

/** A task that runs together with those next to it. */
class Together extends BatchTask {
  constructor(readonly name: string) {
    super();
  }
  get batch(): TaskBatch<Together> {
    return TOGETHER;
  }
}
const TOGETHER: TaskBatch<Together> = {
  run: (tasks, _queue, idx) => {
    log.push(`${idx}: ${names(tasks)}`);
    return Promise.resolve(tasks.map(({ name }) => name));
  },
};

/** The same, which wants to know before where that is not all at once. */
class Prepared extends Together {
  override get batch(): TaskBatch<Together> {
    return PREPARED;
  }
}
const PREPARED: TaskBatch<Together> = {
  ...TOGETHER,
  prepare: (tasks, queue) => {
    log.push(`prepare ${names(tasks)}, ${queue.size} wait`);
    return Promise.resolve();
  },
};

describe('tasks of a class that does several together', () => {
  let running: QueueApp;
  let queue: TaskQueue;

  beforeAll(async () => {
    running = await queueApp({});
    ({ queue } = running);
  });
  beforeEach(() => void (log = []));
  afterAll(() => running.close());

  const drain = (...tasks: Parameters<TaskQueue['add']>[0][]) =>
    queue.run(() => {
      for (const task of tasks) queue.add(task);
    });
  const alone = (_: never, idx: number, prev: unknown) => void log.push(`${idx}: alone after ${String(prev)}`);

  it('run as one batch where they are adjacent, and give the next task the result of the last', async () => {
    await drain(new Together('a'), new Together('b'), alone, new Together('c'));
    expect(log).toEqual(['0: a b', '2: alone after b', '3: c']);
  });

  it('are prepared before the first of all where there are several batches, and only then', async () => {
    await drain(new Prepared('a'), new Prepared('b'), alone);
    expect(log).toEqual(['0: a b', '2: alone after b']);
    log = [];
    await drain(alone, new Prepared('a'), new Prepared('b'), alone, new Together('t'), new Prepared('c'));
    expect(log[0]).toBe('prepare a b c, 6 wait');
    expect(log.slice(1)).toEqual([
      '0: alone after Symbol(NO_PREVIOUS_TASK)',
      '1: a b',
      '3: alone after b',
      '4: t',
      '5: c',
    ]);
  });

  it('are not prepared where only tasks queue them', async () => {
    await drain(() => queue.add(new Together('late')));
    expect(log).toEqual(['1: late']);
  });
});

describe('a queue', () => {
  let running: QueueApp;
  beforeAll(async () => void (running = await queueApp({})));
  afterAll(() => running.close());

  it('takes no tasks once it has drained', async () => {
    let late: UnitQueue | undefined;
    await running.queue.run(() => void (late = currentQueue()));
    expect(() => late?.add(() => 0)).toThrow(TaskQueueMissingError);
    expect(() => late?.add(() => 0)).toThrow(/A task was queued after the queue had drained/);
  });

  it('tells which entities DTOs became', async () => {
    const [dto, entity] = [{}, { id: 1 }];
    await running.queue.run(() => {
      running.queue.bind(dto, entity);
      const queue = currentQueue();
      expect([queue?.bound(dto), queue?.bound(entity)]).toEqual([entity, undefined]);
      expect([...(queue?.bindings() ?? [])]).toEqual([[dto, entity]]);
      expect([queue?.args, queue?.result]).toEqual([[], undefined]);
    });
  });

  it('names the call that needs a queue where there is none', () => {
    const { queue } = running;
    expect(queue.size).toBe(0);
    expect(() => queue.add(() => 0)).toThrow(/A task was queued/);
    expect(() => queue.bind({}, {})).toThrow(/bind\(\) was called/);
    expect(() => queue.afterCommit(() => 0)).toThrow(/afterCommit\(\) was called/);
    expect(() => queue.afterRollback(() => 0)).toThrow(/afterRollback\(\) was called/);
  });

  it('hands on the values of promises, and plain values', async () => {
    const seen: unknown[] = [];
    const look = (_: never, __: number, prev: unknown) => void seen.push(prev);
    await running.queue.run(() => {
      for (const value of [null, { id: 1 }, Promise.resolve('late')]) {
        running.queue.add(() => value);
        running.queue.add(look);
      }
    });
    expect(seen).toEqual([null, { id: 1 }, 'late']);
  });
});
