import { tracingChannel } from 'node:diagnostics_channel';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Trace } from '../../../lib/diagnostics/trace.js';
import { type DrainTrace, FILES_CHANNELS, type TaskTrace, type UnitTrace } from '../../../lib/diagnostics/traces.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { UnitQueue } from '../../../lib/task-queue/unit-queue.js';
import type { UnitOfWork } from '../../../lib/unit-of-work/unit-of-work.js';
import { reachableDatabases, type TestDatabase } from '../../support/databases.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';
import { BatchTask, type TaskBatch } from '../../../lib/task-queue/unit-queue.js';

const [memory] = (await reachableDatabases('memory')) as [TestDatabase];

/** What is published on the channel until the test is over, when it is done. */
function published<T extends object>(name: string): T[] {
  const seen: T[] = [];
  const channel = tracingChannel<unknown, T>(name);
  const ignore = (): void => undefined;
  const subscribers = {
    start: ignore,
    end: ignore,
    asyncStart: ignore,
    error: ignore,
    asyncEnd: (payload: T) => void seen.push(payload),
  };
  channel.subscribe(subscribers);
  onTestFinished(() => channel.unsubscribe(subscribers));
  return seen;
}

class Lines extends ConsoleLogger {
  readonly lines: string[] = [];
  override debug(message: unknown): void {
    this.lines.push(String(message).replace(/\d+\.\d ms$/, '… ms'));
  }
  override error(): void {}
}

describe('a trace', () => {
  let app: NotesApp;
  let queue: TaskQueue;
  let logger: Lines;

  beforeAll(async () => {
    app = await openNotes(memory);
    queue = new TaskQueue(app.transactor);
  });
  beforeEach(() => {
    logger = new Lines('', { logLevels: ['error'] });
    Logger.overrideLogger(logger);
  });
  afterEach(() => app.clear());
  afterAll(async () => {
    Logger.overrideLogger(false);
    await app.database.close();
  });

  it('describes nothing where nobody listens, and the work itself is what runs', async () => {
    const silent = new Trace<{ id: number }>('nestjs-files:test-silent', { context: 'Test', text: () => 'no' });
    const describe = (): never => {
      throw new Error('described');
    };
    const work = Promise.resolve('result');
    expect(silent.run(describe, () => work)).toBe(work);
    await work;
    expect(logger.lines).toEqual([]);
  });

  it('lets tasks run in one go where nobody listens', () => {
    const ran: number[] = [];
    const tasks = new UnitQueue({} as UnitOfWork);
    for (let i = 0; i < 10_000; i++) tasks.add((_result, idx) => ran.push(idx));
    const drained = tasks.drain(undefined);
    return Promise.resolve()
      .then(() => expect(ran).toHaveLength(10_000))
      .then(() => drained);
  });

  it('tells of each unit what kind it is, what became of it and how many tasks it ran', async () => {
    const units = published<UnitTrace>(FILES_CHANNELS.unit);
    await app.dataSource.transaction(() =>
      queue.run(
        async () => {
          queue.add(() => undefined);
          await queue.run(() => Promise.reject(new Error('inner')), { name: 'inner' }).catch(() => undefined);
        },
        { name: 'outer' },
      ),
    );
    await queue.run(() => 1);
    expect(units.map(({ name, kind, attempt, tasks, outcome }) => [name, kind, attempt, tasks, outcome])).toEqual([
      ['inner', 'nested', 1, 0, 'rollback'],
      ['outer', 'joined', 1, 1, 'commit'],
      [undefined, 'root', 1, 0, 'commit'],
    ]);
    expect(units[0]).toHaveProperty('error.message', 'inner');
    expect(units[2]).toHaveProperty('result', 1);
  });

  it('covers one attempt of a unit that is run again', async () => {
    const units = published<UnitTrace>(FILES_CHANNELS.unit);
    let left = 2;
    const busy = new QueryFailedError('UPDATE', [], Object.assign(new Error('busy'), { code: '40P01' }));
    await queue.run(() => (left-- > 0 ? Promise.reject(busy) : undefined), { retry: 5 });
    expect(units.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'rollback'],
      [2, 'rollback'],
      [3, 'commit'],
    ]);
  });

  it('names tasks, and awaits those that return at once', async () => {
    const tasks = published<{ name: string; idx: number; count: number; result: unknown }>(FILES_CHANNELS.task);
    await queue.run(() => {
      queue.add(function first() {
        return 'one';
      });
      queue.add((_result: unknown, _idx, prev) => `${String(prev)} two`);
    });
    expect(tasks.map(({ name, idx, count, result }) => [name, idx, count, result])).toEqual([
      ['first', 0, 1, 'one'],
      ['anonymous', 1, 1, 'one two'],
    ]);
  });

  it('counts the tasks that a drain has run, those of a batch one by one', async () => {
    class Together extends BatchTask {
      get batch(): TaskBatch<Together> {
        return TOGETHER;
      }
    }
    const TOGETHER: TaskBatch<Together> = {
      run: (tasks) => Promise.resolve(tasks.map((_, at) => `together ${at}`)),
    };
    const drains = published<DrainTrace>(FILES_CHANNELS.drain);
    const units = published<UnitTrace>(FILES_CHANNELS.unit);
    const tasks = published<TaskTrace & { result: unknown }>(FILES_CHANNELS.task);
    const unit = queue.run(() => {
      for (const task of [
        new Together(),
        new Together(),
        () => 'alone',
        () => Promise.reject(new Error('no')),
        () => 1,
      ])
        queue.add(task);
    });
    await expect(unit).rejects.toThrow('no');
    expect(tasks.map(({ name, idx, count, result }) => [name, idx, count, result])).toEqual([
      ['Together', 0, 2, 'together 1'],
      ['anonymous', 2, 1, 'alone'],
      ['anonymous', 3, 1, undefined],
    ]);
    expect([...drains, ...units].map((trace) => trace.tasks)).toEqual([3, 3]);
  });

  it('logs a line at level debug', async () => {
    // What Nest 11 asks; Nest 12 asks the logger.
    Logger.overrideLogger(['debug']);
    Logger.overrideLogger(logger);
    logger.setLogLevels(['debug']);
    await queue.run(() => queue.add(() => undefined), { name: 'import' });
    await queue.run(() => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(logger.lines).toEqual([
      'import (root) was committed: 1 task(s), in … ms',
      'A unit of work (root) was rolled back: 0 task(s), failed (no) after … ms',
    ]);
  });
});
