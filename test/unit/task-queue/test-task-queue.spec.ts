import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { NO_PREVIOUS_TASK, OwnershipTransferTask, TaskQueue, WithTaskQueue, addTask } from 'nestjs-files';
import { WorkUnawaitedError } from 'nestjs-files/errors';
import { testTaskQueue } from 'nestjs-files/testing';
import type { EntityManager } from 'typeorm';
import { beforeEach, describe, expect, it, vi } from 'vitest';

interface Packages {
  save(row: object): Promise<{ id: string }>;
}

@Injectable()
class Importer {
  happened: unknown[] = [];

  constructor(
    private readonly queue: TaskQueue,
    private readonly packages: Packages,
  ) {}

  @WithTaskQueue()
  async importOne(title: string): Promise<{ id: string }> {
    this.queue.add(new OwnershipTransferTask('0199c0de-0000-7000-8000-000000000001', 'package', 'id'));
    this.queue.add((...args: unknown[]) => this.happened.push(args));
    addTask(() => this.happened.push('added'));
    this.queue.afterCommit(() => this.happened.push('committed'));
    this.queue.afterRollback(() => this.happened.push('rolled back'));
    return this.packages.save({ title });
  }

  @WithTaskQueue()
  async importAll(titles: string[]): Promise<number> {
    let failed = 0;
    for (const title of titles) await this.importOne(title).catch(() => failed++);
    return failed;
  }

  @WithTaskQueue()
  async forget(): Promise<void> {
    void this.importOne('forgotten').catch(() => undefined);
  }
}

describe('testTaskQueue()', () => {
  const save = vi.fn<Packages['save']>();
  let queue: ReturnType<typeof testTaskQueue>;
  let importer: Importer;

  beforeEach(() => {
    save.mockReset().mockResolvedValue({ id: '7' });
    queue = testTaskQueue();
    importer = queue.serve(new Importer(queue, { save }));
  });

  it('runs the tasks of a service made by hand with its result, then the effects', async () => {
    expect(await importer.importOne('one')).toEqual({ id: '7' });
    // The transfer, which needs a database, is noted and counts as a task.
    expect(importer.happened).toEqual([[{ id: '7' }, 1, undefined], 'added', 'committed']);
    expect(queue.tasks[0]).toBeInstanceOf(OwnershipTransferTask);
    expect(queue.tasks).toHaveLength(3);
    expect([queue.isActive, queue.size]).toEqual([false, 0]);
  });

  it('undoes a call that fails: no task runs, and only the effects of a rollback', async () => {
    save.mockRejectedValue(new Error('no'));
    await expect(importer.importOne('one')).rejects.toThrow('no');
    expect(importer.happened).toEqual(['rolled back']);
  });

  it('nests calls: a failure inside leaves the outer call alone', async () => {
    save.mockRejectedValueOnce(new Error('no'));
    expect(await importer.importAll(['one', 'two'])).toBe(1);
    expect(importer.happened).toEqual([[{ id: '7' }, 1, undefined], 'added', 'rolled back', 'committed']);
  });

  it('tells of work that was not awaited', async () => {
    await expect(importer.forget()).rejects.toBeInstanceOf(WorkUnawaitedError);
  });

  it('hands NO_PREVIOUS_TASK to the first task', async () => {
    await queue.run(() => {
      queue.add((...args: unknown[]) => importer.happened.push(args));
      return 'saved';
    });
    expect(importer.happened).toEqual([['saved', 0, NO_PREVIOUS_TASK]]);
  });

  it('serves a module with mocks', async () => {
    const module = await Test.createTestingModule({
      providers: [
        {
          provide: Importer,
          useFactory: (...given: [TaskQueue]) => new Importer(...given, { save }),
          inject: [TaskQueue],
        },
      ],
    })
      .useMocker((token) => (token === TaskQueue ? queue : {}))
      .compile();
    const made = queue.serve(module.get(Importer));
    expect(await made.importOne('one')).toEqual({ id: '7' });
    await module.close();
  });

  it('takes a mock for the manager to join', async () => {
    const manager = {} as EntityManager;
    expect(await queue.run(() => importer.importOne('one'), { manager })).toEqual({ id: '7' });
    expect(importer.happened.at(-1)).toBe('committed');
  });
});
