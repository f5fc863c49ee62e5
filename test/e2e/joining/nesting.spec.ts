import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
  Post,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Propagation as ClsPropagation, Transactional as ClsTransactional } from '@nestjs-cls/transactional';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import { from, lastValueFrom, mergeMap, type Observable, raceWith, throwError } from 'rxjs';
import { DataSource, type EntityManager, Repository } from 'typeorm';
import { addTransactionalDataSource, Propagation, Transactional } from 'typeorm-transactional';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { TransactionNotJoinedError, WorkUnawaitedError, UnitTimeoutError } from '../../../lib/entry/errors.js';
import { reachableDatabases, type TestDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { type JoiningApp, joiningApp, LIBRARIES, Note, type TransactionLibrary } from '../../support/joining-app.js';

Logger.overrideLogger(false);

const [plain, transactional, cls] = LIBRARIES;
const [memory] = (await reachableDatabases('memory')) as [TestDatabase];
const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const servers = databases.filter(({ kind }) => kind !== 'memory');

type Extra = Parameters<typeof joiningApp>[2];

async function start(library: TransactionLibrary, database: TestDatabase, extra: Extra = {}): Promise<JoiningApp> {
  const app = await joiningApp(library, database, extra);
  onTestFinished(() => app.close());
  await app.reset();
  return app;
}

@Injectable()
class Notes {
  constructor(
    @InjectDataSource() readonly dataSource: DataSource,
    @InjectRepository(Note) readonly notes: Repository<Note>,
    readonly queue: TaskQueue,
  ) {}

  insert(id: string) {
    return this.notes.insert({ id, fileId: null });
  }

  @Transactional() async outer<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  @Transactional({ propagation: Propagation.REQUIRES_NEW }) async alone(id: string, fails = false): Promise<void> {
    await this.insert(id);
    if (fails) throw new Error(id);
  }

  @Transactional({ propagation: Propagation.NOT_SUPPORTED }) async without<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  @ClsTransactional(ClsPropagation.Nested) async nested<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  @WithTaskQueue() async decorated(id: string, _manager?: unknown): Promise<void> {
    this.queue.add(() => this.insert(`${id}-task`));
    await this.insert(id);
  }

  @WithTaskQueue() async unit<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  @WithTaskQueue() async careless(id: string): Promise<void> {
    void this.insert(id).catch(() => undefined);
  }
}

describe.each(databases)('on $name', (database) => {
  let app: JoiningApp;

  const using = (library: TransactionLibrary): void => {
    beforeAll(async () => void (app = await joiningApp(library, database, { providers: [Notes] })));
    beforeEach(() => app.reset());
    afterAll(() => app.close());
  };

  describe('in typeorm-transactional', () => {
    using(transactional);
    it('keeps the work of repositories in the unit, also where they follow typeorm-transactional', async () => {
      const notes = app.app.get(Notes);
      await notes.outer(async () => {
        await expect(notes.careless('lost')).rejects.toThrow(WorkUnawaitedError);
        await notes.decorated('kept');
      });
      expect(await app.saved()).toEqual(['kept', 'kept-task']);
    });

    it('turns REQUIRES_NEW inside of a unit into a savepoint, since a unit has one connection', async () => {
      const notes = app.app.get(Notes);
      await notes.unit(async () => {
        await notes.alone('kept');
        await notes.alone('undone', true).catch(() => undefined);
      });
      expect(app.transactions()).toBe('BEGIN [ ] [ ) COMMIT');
      expect(await app.saved()).toEqual(['kept']);
    });
  });

  describe('in nestjs-cls', () => {
    using(cls);
    it('nests a unit in its transaction inside of a unit that has joined one', async () => {
      const notes = app.app.get(Notes);
      await app.service.inTransaction(() =>
        notes.unit(async () => {
          await notes.nested(() => notes.decorated('a'));
          const failing = notes.nested(async () => {
            await notes.decorated('b');
            throw new Error('nested');
          });
          await expect(failing).rejects.toThrow('nested');
        }),
      );
      expect(app.transactions()).toBe('BEGIN [ [ [ ] ] [ [ ] ) ] COMMIT');
      expect(await app.saved()).toEqual(['a', 'a-task']);
    });
  });

  describe('a transaction that was started on a query runner', () => {
    using(plain);
    let notes: Notes;
    let manager: EntityManager;

    beforeEach(async () => {
      notes = app.app.get(Notes);
      const runner = app.dataSource.createQueryRunner();
      await runner.startTransaction();
      onTestFinished(async () => {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        if (!runner.isReleased) await runner.release();
      });
      manager = runner.manager;
    });

    it('contains the calls that run() is given its manager for, decorated calls included', async () => {
      await app.queue.run(() => notes.decorated('a'), { manager });
      await app.queue.run(() => notes.decorated('b', manager), { manager });
      await manager.queryRunner?.commitTransaction();
      expect(app.transactions()).toBe('BEGIN [ [ ] ] [ [ ] ] COMMIT');
      expect(await app.saved()).toEqual(['a', 'a-task', 'b', 'b-task']);
    });

    it('is refused as an argument of a decorated call that would not be in it', async () => {
      const message = /Notes\.decorated .* TaskQueue\.run\(\(\) => …, \{ manager \}\)/;
      await expect(notes.decorated('a', manager)).rejects.toThrow(message);
      await expect(notes.decorated('a', manager.getRepository(Note))).rejects.toThrow(TransactionNotJoinedError);
      expect(app.transactions()).toBe('BEGIN');
    });

    it('cannot be seen: a call that waits for its connection is told how to join', async () => {
      const waiting = app.queue.run(() => notes.insert('a'), { timeout: 100 });
      await expect(waiting).rejects.toThrow(UnitTimeoutError);
      await expect(waiting).rejects.toThrow('TaskQueue.run(fn, { manager: queryRunner.manager })');
      await manager.queryRunner?.rollbackTransaction();
      await manager.queryRunner?.release();
      await notes.decorated('next');
      expect(await app.saved()).toEqual(['next', 'next-task']);
    });
  });
});

describe.each(servers)('on $name', (database) => {
  it('keeps REQUIRES_NEW of typeorm-transactional a separate transaction outside of units', async () => {
    const app = await start(transactional, database, { providers: [Notes], poolSize: 3 });
    const notes = app.app.get(Notes);
    const failing = notes.outer(async () => {
      await notes.decorated('undone');
      await notes.alone('alone');
      throw new Error('outer');
    });
    await expect(failing).rejects.toThrow('outer');
    expect(await app.saved()).toEqual(['alone']);
  });

  it('joins a call that was suspended from its transaction all the same, unless it is detached', async () => {
    const app = await start(transactional, database, { providers: [Notes], poolSize: 3 });
    const notes = app.app.get(Notes);
    const failing = notes.outer(async () => {
      await notes.without(() => notes.decorated('joined'));
      await notes.without(() => TaskQueue.detach(() => notes.decorated('detached')));
      throw new Error('outer');
    });
    await expect(failing).rejects.toThrow('outer');
    expect(await app.saved()).toEqual(['detached', 'detached-task']);
  });
});

it('opens a transaction of the unit where the application’s is on another data source', async () => {
  const app = await start(plain, memory);
  const other = await new DataSource({ type: 'better-sqlite3', database: ':memory:' }).initialize();
  onTestFinished(() => other.destroy());
  const failing = other.transaction(async () => {
    await app.service.decorated('n');
    throw new Error('other');
  });
  await expect(failing).rejects.toThrow('other');
  expect(app.transactions()).toBe('BEGIN COMMIT');
});

it('joins where typeorm-transactional takes the data source after the application has started', async () => {
  const app = await start(
    {
      ...transactional,
      take: (dataSource) => (transactional.take?.(new DataSource(dataSource.options)), dataSource),
    },
    memory,
    { providers: [Notes] },
  );
  transactional.close?.();
  addTransactionalDataSource(app.dataSource);
  const notes = app.app.get(Notes);
  await notes.outer(() => notes.decorated('a'));
  const failing = notes.outer(async () => {
    await notes.decorated('b');
    throw new Error('outer');
  });
  await expect(failing).rejects.toThrow('outer');
  expect(app.transactions()).toBe('BEGIN [ ] COMMIT BEGIN [ ] ROLLBACK');
  expect(await app.saved()).toEqual(['a', 'a-task']);
});

it('joins the transaction of an interceptor around the route', async () => {
  @Injectable()
  class InTransaction implements NestInterceptor {
    constructor(@InjectDataSource() private readonly dataSource: DataSource) {}
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      return from(this.dataSource.transaction(() => lastValueFrom(next.handle())));
    }
  }
  const app = await start(plain, memory, { providers: [{ provide: APP_INTERCEPTOR, useClass: InTransaction }] });
  const { id: fileId } = await app.files.create(Buffer.from('a'), {
    name: 'a.txt',
    owner: { type: 'user', id: 'ada' },
  });
  await app.reset();
  expect(await app.post('above', { id: 'n', fileId, fails: 'yes' })).toBe(500);
  expect(await app.post('above', { id: 'n', fileId })).toBe(201);
  expect(app.transactions()).toBe('BEGIN [ [ ) ) ROLLBACK BEGIN [ [ ] ] COMMIT');
  expect((await app.files.findOrFail(fileId)).ownerType).toBe('note');
});

it('ends a unit that has joined when an interceptor inside of the transaction gives up on it', async () => {
  const [reached, goOn] = [gate(), gate()];
  @Injectable()
  class InTransaction implements NestInterceptor {
    constructor(@InjectDataSource() private readonly dataSource: DataSource) {}
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      const over = from(reached.opened).pipe(mergeMap(() => throwError(() => new Error('too late'))));
      return from(this.dataSource.transaction(() => lastValueFrom(next.handle().pipe(raceWith(over)))));
    }
  }
  @Controller()
  class Held {
    constructor(private readonly notes: Notes) {}

    @Post('held')
    @WithTaskQueue()
    async held(): Promise<void> {
      await this.notes.insert('n');
      reached.open();
      await goOn.opened;
    }
  }
  const app = await start(plain, memory, {
    providers: [Notes, { provide: APP_INTERCEPTOR, useClass: InTransaction }],
    controllers: [Held],
  });
  const warn = vi.spyOn(Logger.prototype, 'warn');
  onTestFinished(() => warn.mockRestore());
  expect(await app.post('held', {})).toBe(500);
  expect(app.transactions()).toBe('BEGIN [ ROLLBACK');
  expect(await app.saved()).toEqual([]);
  // A shutdown warns of units that do not end.
  await app.app.close();
  expect(warn).not.toHaveBeenCalled();
  goOn.open();
});
