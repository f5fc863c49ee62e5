import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EntityManager, Repository } from 'typeorm';
import {
  TaskQueueMissingError,
  TaskFailedError,
  WorkUnawaitedError,
  UnitEndedError,
} from '../../../lib/errors/units.errors.js';
import { addTask, TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { NO_PREVIOUS_TASK, Task } from '../../../lib/task-queue/task.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { Note, queueApp, type QueueApp } from '../../support/queue-app.js';
import { BatchTask, type TaskBatch } from '../../../lib/task-queue/unit-queue.js';

type Step = () => unknown;

/** A provider of the application: each method is a unit of work. */
@Injectable()
class Notes {
  constructor(
    readonly queue: TaskQueue,
    @InjectRepository(Note) readonly notes: Repository<Note>,
  ) {}

  @WithTaskQueue()
  async write(id: string, ...steps: Step[]): Promise<{ id: string }> {
    await this.notes.insert({ id });
    for (const step of steps) await step();
    return { id };
  }

  @WithTaskQueue()
  forget(id: string, child: Step): { id: string } {
    void child();
    return { id };
  }

  @WithTaskQueue()
  hand(_manager: EntityManager): string {
    return 'taken';
  }

  @WithTaskQueue()
  failSync(): never {
    throw new Error('sync');
  }
}

describe('TaskQueue', () => {
  let running: QueueApp;
  let notes: Notes;
  let queue: TaskQueue;

  beforeAll(async () => {
    running = await queueApp({ providers: [Notes] });
    notes = running.app.get(Notes);
    queue = running.queue;
  });
  afterEach(() => running.dataSource.getRepository(Note).deleteAll());
  afterAll(() => running.close());

  const writing = (id: string) => () => notes.notes.insert({ id });

  describe('tasks', () => {
    it('run first in, first out, with the result, their index and the result of the task before', async () => {
      const seen: unknown[] = [];
      const task = (value: unknown) => (result: unknown, idx: number, prev: unknown) => {
        seen.push([result, idx, prev]);
        return value;
      };
      await notes.write(
        'n',
        () => queue.add(task('a')),
        () => queue.add(task(undefined)),
        () => queue.add(task('c')),
      );
      const result = { id: 'n' };
      expect(seen).toEqual([
        [result, 0, NO_PREVIOUS_TASK],
        [result, 1, 'a'],
        [result, 2, undefined],
      ]);
    });

    it('do not change the result that the caller gets', async () => {
      expect(await notes.write('n', () => queue.add(() => ({ other: true })))).toEqual({ id: 'n' });
    });

    it('may be objects of a class that extends Task', async () => {
      class Remember extends Task {
        seen: unknown;
        override run(result: unknown, idx: number, prev: unknown): void {
          this.seen = [Task.extract(result, 'id'), idx, prev];
        }
      }
      const task = new Remember();
      await notes.write('n', () => queue.add(task));
      expect(task.seen).toEqual(['n', 0, NO_PREVIOUS_TASK]);
    });

    it('are awaited one after the other', async () => {
      const log: string[] = [];
      const slow = (name: string) => async () => {
        log.push(`${name} starts`);
        await notes.notes.count();
        log.push(`${name} ends`);
      };
      await notes.write(
        'n',
        () => queue.add(slow('a')),
        () => queue.add(slow('b')),
      );
      expect(log).toEqual(['a starts', 'a ends', 'b starts', 'b ends']);
    });

    it('may add tasks, which join the same drain', async () => {
      const seen: [number, unknown][] = [];
      const chain = (depth: number) => (_: unknown, idx: number, prev: unknown) => {
        seen.push([idx, prev]);
        if (depth > 0) queue.add(chain(depth - 1));
        return depth;
      };
      await notes.write('n', () => queue.add(chain(2)));
      expect(seen).toEqual([
        [0, NO_PREVIOUS_TASK],
        [1, 2],
        [2, 1],
      ]);
    });

    it('run in order, each once, when there are a hundred thousand', async () => {
      let last = -1;
      let inOrder = true;
      await notes.write('n', () => {
        for (let i = 0; i < 100_000; i++) queue.add((_, idx) => void ((inOrder &&= idx === last + 1), (last = idx)));
      });
      expect([inOrder, last]).toEqual([true, 99_999]);
    });

    it('write in the unit’s transaction', async () => {
      await notes.write('n', () => queue.add(writing('by-task')));
      expect(await running.ids()).toEqual(['by-task', 'n']);
    });

    it('roll everything back when one of five throws, and the later ones do not run', async () => {
      const ran: number[] = [];
      const tasks = [0, 1, 2, 3, 4].map((i) => async () => {
        ran.push(i);
        await notes.notes.insert({ id: `task-${i}` });
        if (i === 3) throw new Error('third');
      });
      await expect(notes.write('n', () => tasks.forEach((task) => queue.add(task)))).rejects.toThrow('third');
      expect(ran).toEqual([0, 1, 2, 3]);
      expect(await running.ids()).toEqual([]);
    });

    it('are named at the end of the cause chain when they fail, and their error stays itself', async () => {
      class Conflict extends Error {}
      const cause = new Error('root');
      const notify = (): never => {
        throw new Conflict('taken', { cause });
      };
      const failure = await notes
        .write(
          'n',
          () => queue.add(() => 1),
          () => queue.add(notify),
        )
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Conflict);
      expect(cause.cause).toBeInstanceOf(TaskFailedError);
      expect((cause.cause as Error).message).toMatch(/"notify", task 1 of the queue/);
    });

    it('are named also when they throw something else than an error', async () => {
      const failure = await notes
        .write('n', () => queue.add(() => Promise.reject('a string')))
        .catch((e: unknown) => e);
      expect(failure).toBeInstanceOf(TaskFailedError);
      expect((failure as Error).cause).toBe('a string');
    });
  });

  describe('Task.extract', () => {
    it('reads nested values by steps or by a dotted path', () => {
      const source = { resources: [{ id: 'r1' }] };
      expect(Task.extract(source, ['resources', 0, 'id'])).toBe('r1');
      expect(Task.extract(source, 'resources.0.id')).toBe('r1');
    });

    it('gives undefined where the path leads nowhere', () => {
      expect(Task.extract(null, 'id')).toBeUndefined();
      expect(Task.extract({ a: 1 }, 'a.b.c')).toBeUndefined();
      expect(Task.extract({ a: null }, 'a.b')).toBeUndefined();
      expect(Task.extract('text', 'length')).toBeUndefined();
      expect(Task.extract({ a: 1 }, 'b')).toBeUndefined();
    });
  });

  describe('batches', () => {
    class Batched extends BatchTask {
      static calls: unknown[] = [];
      static prepared: string[][] = [];
      constructor(readonly name: string) {
        super();
      }
      static together: TaskBatch<Batched> = {
        run: (tasks, _queue, idx) => {
          Batched.calls.push([idx, tasks.map(({ name }) => name)]);
          return Promise.resolve(tasks.map(({ name }) => name));
        },
        prepare: (tasks) => {
          Batched.prepared.push(tasks.map(({ name }) => name));
          return Promise.resolve();
        },
      };
      get batch(): TaskBatch<Batched> {
        return Batched.together;
      }
      override run(): never {
        throw new Error('a batch runs together');
      }
    }
    afterEach(() => {
      Batched.calls = [];
      Batched.prepared = [];
    });

    it('run adjacent tasks of one class in one call', async () => {
      let after: unknown;
      await notes.write('n', () => {
        queue.add(new Batched('a'));
        queue.add(new Batched('b'));
        queue.add((_, idx, prev) => (after = [idx, prev]));
      });
      expect(Batched.calls).toEqual([[0, ['a', 'b']]]);
      expect(Batched.prepared).toEqual([]);
      expect(after).toEqual([2, 'b']);
    });

    it('are prepared all at once, before anything runs, when other tasks stand between them', async () => {
      await notes.write('n', () => {
        queue.add(new Batched('a'));
        queue.add(() => Batched.calls.push('between'));
        queue.add(new Batched('b'));
      });
      expect(Batched.prepared).toEqual([['a', 'b']]);
      expect(Batched.calls).toEqual([[0, ['a']], 'between', [2, ['b']]]);
    });
  });

  describe('nesting', () => {
    it('gives a nested call its own queue, drained with its own result when it returns', async () => {
      const seen: unknown[] = [];
      const note = (name: string) => (result: unknown) => seen.push([name, result]);
      await notes.write(
        'outer',
        () => queue.add(note('outer task')),
        () => notes.write('inner', () => queue.add(note('inner task'))),
        () => seen.push('inner returned'),
      );
      expect(seen).toEqual([['inner task', { id: 'inner' }], 'inner returned', ['outer task', { id: 'outer' }]]);
    });

    it('undoes only the nested part when its error is caught', async () => {
      const task = writing('inner-task');
      await notes.write('outer', () =>
        notes
          .write(
            'inner',
            () => queue.add(task),
            () => queue.add(() => Promise.reject(new Error('inner task'))),
          )
          .catch(() => undefined),
      );
      expect(await running.ids()).toEqual(['outer']);
    });

    it('undoes the nested part and its tasks when the outer call fails later', async () => {
      const failing = notes.write(
        'outer',
        () => notes.write('inner', () => queue.add(writing('inner-task'))),
        () => Promise.reject(new Error('later')),
      );
      await expect(failing).rejects.toThrow('later');
      expect(await running.ids()).toEqual([]);
    });

    it('undoes everything when the nested error is not caught', async () => {
      await expect(
        notes.write('outer', () => notes.write('inner', () => Promise.reject(new Error('no')))),
      ).rejects.toThrow('no');
      expect(await running.ids()).toEqual([]);
    });

    it('leaves tasks to the queue around where a nested unit of work has none', async () => {
      const seen: unknown[] = [];
      await notes.write('outer', () =>
        running.app.get(Transactor).run(() => {
          queue.add((result) => seen.push(result));
          expect([queue.isActive, queue.size]).toEqual([true, 1]);
        }),
      );
      expect(seen).toEqual([{ id: 'outer' }]);
    });

    it('drops the tasks of a nested call that failed', async () => {
      const ran: string[] = [];
      await notes.write('outer', () =>
        notes
          .write(
            'inner',
            () => queue.add(() => ran.push('inner')),
            () => Promise.reject(new Error('no')),
          )
          .catch(() => undefined),
      );
      expect(ran).toEqual([]);
    });

    it('fails the unit when a nested call is not awaited', async () => {
      await expect(notes.forget('outer', () => notes.write('inner'))).rejects.toThrow(WorkUnawaitedError);
      expect(await running.ids()).toEqual([]);
    });
  });

  describe('outside of a unit of work', () => {
    it('refuses tasks and effects, naming the remedy', () => {
      expect(() => queue.add(() => 1)).toThrow(TaskQueueMissingError);
      expect(() => queue.add(() => 1)).toThrow(/@WithTaskQueue\(\).*TaskQueue\.run\(\)/);
      expect(() => addTask(() => 1)).toThrow(TaskQueueMissingError);
      expect(() => queue.afterCommit(() => 1)).toThrow(TaskQueueMissingError);
      expect(() => queue.bind({}, {})).toThrow(TaskQueueMissingError);
    });

    it('is not active, and holds no tasks', async () => {
      expect([queue.isActive, queue.size]).toEqual([false, 0]);
      await notes.write('n', () => {
        queue.add(() => 1);
        addTask(() => 2);
        expect([queue.isActive, queue.size]).toEqual([true, 2]);
      });
      expect([queue.isActive, queue.size]).toEqual([false, 0]);
    });
  });

  describe('run', () => {
    it('opens a unit of work without a decorator', async () => {
      const result = await queue.run(async () => {
        queue.add(writing('task'));
        await notes.notes.insert({ id: 'n' });
        return 'result';
      });
      expect(result).toBe('result');
      expect(await running.ids()).toEqual(['n', 'task']);
    });

    it('rolls back when it throws', async () => {
      const failing = queue.run(async () => {
        await notes.notes.insert({ id: 'n' });
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect(await running.ids()).toEqual([]);
    });

    it('takes part in a transaction that the application has open', async () => {
      const log: string[] = [];
      const failing = running.dataSource.transaction(async (manager) => {
        await queue.run(
          async () => {
            queue.add(writing('task'));
            queue.afterCommit(() => log.push('committed'));
            queue.afterRollback(() => log.push('rolled back'));
            await notes.notes.insert({ id: 'n' });
          },
          { manager },
        );
        expect(await manager.count(Note)).toBe(2);
        throw new Error('the application rolls back');
      });
      await expect(failing).rejects.toThrow('the application rolls back');
      expect(await running.ids()).toEqual([]);
      expect(log).toEqual(['rolled back']);
    });
  });

  describe('after the unit has ended', () => {
    it('refuses tasks from work that was left running', async () => {
      let late: Promise<unknown> = Promise.resolve();
      let proceed = (): void => undefined;
      const ended = new Promise<void>((resolve) => (proceed = resolve));
      await notes.write('n', () => {
        late = ended.then(() => queue.add(() => 1));
        late.catch(() => undefined);
      });
      proceed();
      await expect(late).rejects.toThrow(TaskQueueMissingError);
    });

    it('refuses queries from work that was left running, and starts detached work anew', async () => {
      let proceed = (): void => undefined;
      const ended = new Promise<void>((resolve) => (proceed = resolve));
      let late: Promise<unknown> = Promise.resolve();
      let detached: Promise<unknown> = Promise.resolve();
      await notes.write('n', () => {
        late = ended.then(writing('late'));
        detached = TaskQueue.detach(() => ended.then(writing('detached')));
        late.catch(() => undefined);
      });
      proceed();
      await expect(late).rejects.toThrow(UnitEndedError);
      await detached;
      expect(await running.ids()).toEqual(['detached', 'n']);
    });
  });

  describe('effects', () => {
    it('run after the commit, in order, and not at all when the unit fails', async () => {
      const log: unknown[] = [];
      await notes.write(
        'n',
        () => queue.afterCommit(async () => log.push(await running.ids())),
        () => queue.afterCommit(() => log.push('second')),
        () => queue.afterRollback(() => log.push('never')),
      );
      expect(log).toEqual([['n'], 'second']);
    });

    it('run after a rollback where they were asked for', async () => {
      const log: unknown[] = [];
      const failing = notes.write(
        'n',
        () => queue.afterCommit(() => log.push('never')),
        () => queue.afterRollback(async () => log.push(await running.ids())),
        () => Promise.reject(new Error('no')),
      );
      await expect(failing).rejects.toThrow('no');
      expect(log).toEqual([[]]);
    });

    it('do not fail the call when they fail, and the next one runs', async () => {
      const log: string[] = [];
      const result = await notes.write(
        'n',
        () => queue.afterCommit(() => Promise.reject(new Error('mail server is down'))),
        () => queue.afterCommit(() => log.push('next')),
      );
      expect([result, log]).toEqual([{ id: 'n' }, ['next']]);
    });
  });

  it('turns an error that a synchronous method throws into a rejection', async () => {
    await expect(notes.failSync()).rejects.toThrow('sync');
  });

  it('refuses a call on an object that Nest did not make, or without an object', async () => {
    const orphan = new Notes(queue, notes.notes);
    await expect(orphan.write('n')).rejects.toThrow(/Notes\.write was called on an object that Nest did not make/);
    const { hand } = Notes.prototype;
    const onNothing = hand as unknown as () => Promise<string>;
    await expect(onNothing()).rejects.toThrow(/Notes\.hand was called on an object that Nest did not make/);
  });

  it('refuses a call that is handed another open transaction', async () => {
    const runner = running.dataSource.createQueryRunner();
    expect(await notes.hand(runner.manager)).toBe('taken');
    await runner.startTransaction();
    const refused = Promise.resolve(notes.hand(runner.manager));
    await expect(refused).rejects.toMatchObject({
      code: 'FILES_TRANSACTION_NOT_JOINED',
      message: expect.stringMatching(/^Notes\.hand was called with an entity manager/) as string,
    });
    await runner.rollbackTransaction();
    await runner.release();
  });
});
