import { QueryRunnerAlreadyReleasedError } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UnitAbortedError } from '../../../lib/errors/units.errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases())('on $name, a query runner made inside of a unit', (kind) => {
  let app: NotesApp;
  let run: NotesApp['transactor']['run'];

  beforeAll(async () => {
    app = await openNotes(kind);
    run = app.transactor.run.bind(app.transactor);
  });

  afterAll(() => app.database.close());

  beforeEach(() => app.clear());

  const runner = () => app.dataSource.createQueryRunner();

  it.each(['commitTransaction', 'rollbackTransaction', 'release'] as const)(
    'does not end the unit with its %s',
    async (end) => {
      const undo = new Error('undo');
      const unit = run(async () => {
        await app.write('own');
        const other = runner();
        await other[end]();
        await app.write('after');
        expect(await app.notes.count()).toBe(2);
        throw undo;
      });
      await expect(unit).rejects.toBe(undo);
      expect(await app.saved()).toEqual([]);
    },
  );

  it.each(['commitTransaction', 'rollbackTransaction'] as const)(
    'ends with %s only the transaction that it started',
    async (end) => {
      await run(async () => {
        await app.write('own');
        const other = runner();
        await other.startTransaction();
        await other.manager.insert(Note, { id: 'inner' });
        await other[end]();
        await other[end]();
        await other.release();
        await app.write('after');
      });
      expect(await app.saved()).toEqual(end === 'commitTransaction' ? ['after', 'inner', 'own'] : ['after', 'own']);
    },
  );

  it('may be rolled back in a catch after its own commit', async () => {
    const failure = new Error('failure');
    await run(async () => {
      await app.write('own');
      const other = runner();
      await other.startTransaction();
      try {
        await other.manager.insert(Note, { id: 'inner' });
        await other.commitTransaction();
        throw failure;
      } catch {
        if (other.isTransactionActive) await other.rollbackTransaction();
      } finally {
        await other.release();
      }
      await app.write('after');
    });
    expect(await app.saved()).toEqual(['after', 'inner', 'own']);
  });

  it('nests its own transactions', async () => {
    await run(async () => {
      const other = runner();
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'outer' });
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'inner' });
      await other.rollbackTransaction();
      await other.commitTransaction();
      await other.release();
    });
    expect(await app.saved()).toEqual(['outer']);
  });

  it('refuses all work once it is released, as TypeORM does', async () => {
    await run(async () => {
      const other = runner();
      await other.release();
      expect(other.isReleased).toBe(true);
      await expect(other.query('SELECT 1')).rejects.toBeInstanceOf(QueryRunnerAlreadyReleasedError);
      await expect(other.startTransaction()).rejects.toBeInstanceOf(QueryRunnerAlreadyReleasedError);
      await app.write('after');
    });
    expect(await app.saved()).toEqual(['after']);
  });

  it('undoes with its release the work that it had started and not ended', async () => {
    await run(async () => {
      const other = runner();
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'inner' });
      await other.release();
      await app.write('after');
    });
    expect(await app.saved()).toEqual(['after']);
  });

  it('fails the unit when it never ends the transaction it started', async () => {
    const unit = run(async () => {
      await app.write('own');
      const other = runner();
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'inner' });
    });
    await expect(unit).rejects.toMatchObject({
      message: 'The unit of work was rolled back: a transaction started by hand was never ended.',
    });
    expect(await app.saved()).toEqual([]);
  });

  it('fails the unit when it never ends the transaction it started in a nested unit', async () => {
    const unit = run(async () => {
      await app.write('own');
      await run(() => runner().startTransaction()).catch(() => undefined);
    });
    await expect(unit).rejects.toBeInstanceOf(UnitAbortedError);
    expect(await app.saved()).toEqual([]);
  });

  it('fails the unit when its start is not awaited', async () => {
    const unit = run(async () => {
      await app.write('own');
      void runner().startTransaction();
    });
    await expect(unit).rejects.toThrow();
    expect(await app.saved()).toEqual([]);
  });

  it.each(['commitTransaction', 'rollbackTransaction'] as const)(
    'dooms the unit when two of them end in the wrong order, by %s',
    async (end) => {
      const unit = run(async () => {
        await app.write('own');
        const [first, second] = [runner(), runner()];
        await first.startTransaction();
        await second.startTransaction();
        await second.manager.insert(Note, { id: 'second' });
        await first[end]().catch(() => undefined);
        await second[end]().catch(() => undefined);
      });
      await expect(unit).rejects.toMatchObject({
        message: 'The unit of work was rolled back: its transaction had already failed.',
        cause: {
          message:
            'The unit of work was rolled back: nested transactions were not ended in the reverse order of their start.',
        },
      });
      expect(await app.saved()).toEqual([]);
    },
  );

  it('takes nothing along silently that others wrote during its transaction', async () => {
    const unit = run(async () => {
      const other = runner();
      await other.startTransaction();
      await app.write('through a repository');
      await other.rollbackTransaction();
    });
    await expect(unit).rejects.toMatchObject({
      code: 'FILES_UNIT_ABORTED',
      cause: {
        message:
          'The unit of work was rolled back: a statement that ran at the same time as a nested transaction was undone with it; await one before you start the other.',
      },
    });
    expect(await app.saved()).toEqual([]);
  });

  it('may read through others during its transaction, and be rolled back alone', async () => {
    await run(async () => {
      const other = runner();
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'undone' });
      for (const sql of ['SELECT id FROM note', '  select id FROM note', 'EXPLAIN SELECT id FROM note'])
        await app.dataSource.query(sql);
      await other.rollbackTransaction();
      await app.write('own');
    });
    expect(await app.saved()).toEqual(['own']);
  });

  it('may have its transaction around nested ones, which write for it', async () => {
    await run(async () => {
      const other = runner();
      await other.startTransaction();
      await other.manager.transaction(() => app.write('undone'));
      await other.manager.transaction((inner) => inner.transaction(() => app.write('undone, too')));
      await other.rollbackTransaction();
      await app.write('own');
    });
    expect(await app.saved()).toEqual(['own']);
  });

  it('keeps its fields to itself', async () => {
    await run(() => {
      const [first, second] = [runner(), runner()];
      const { manager } = second;
      Object.assign(first, { loadedTables: ['only here'], manager });
      const tables = [first, second].map((one) => (one as unknown as { loadedTables: unknown }).loadedTables);
      expect(tables).toEqual([['only here'], []]);
      expect([first.manager, second.manager]).toEqual([manager, manager]);
    });
  });

  it('returns the values of TypeORM’s query runner', async () => {
    await app.write('own');
    await run(async () => {
      const other = runner();
      expect(await other.query('SELECT id FROM note')).toEqual([{ id: 'own' }]);
      expect(await other.query('SELECT id FROM note', [], true)).toMatchObject({ records: [{ id: 'own' }] });
      expect([other.isTransactionActive, other.isReleased, other.data]).toEqual([true, false, {}]);
    });
  });

  it('has its own data and manager', async () => {
    await run(() => {
      const [first, second] = [runner(), runner()];
      Object.assign(first, { data: { only: 'here' } });
      expect([first.data, second.data]).toEqual([{ only: 'here' }, {}]);
      expect(first.manager).not.toBe(second.manager);
      expect(first.manager.queryRunner).toBe(first);
    });
  });

  it('tells the subscribers that listen of its statements and its transactions', async () => {
    const heard: string[] = [];
    const subscribers = [
      {},
      { beforeQuery: ({ query }: { query: string }) => void (query.startsWith('SELECT') && heard.push(query)) },
      { afterTransactionStart: () => void heard.push('started') },
      { beforeTransactionCommit: () => void heard.push('committing') },
    ];
    app.dataSource.subscribers.push(...subscribers);
    await run(async () => {
      const other = runner();
      await other.query('SELECT 1');
      await other.release();
      await app.dataSource.query('SELECT 2');
    });
    app.dataSource.subscribers.splice(-subscribers.length);
    expect(heard).toEqual(expect.arrayContaining(['SELECT 1', 'SELECT 2', 'committing']));
    expect(heard.filter((one) => one === 'committing')).toHaveLength(1);
  });

  it('can be disposed of', async () => {
    await run(async () => {
      const other = runner();
      await other.startTransaction();
      await other.manager.insert(Note, { id: 'inner' });
      await other[Symbol.asyncDispose]();
      expect(other.isReleased).toBe(true);
    });
    expect(await app.saved()).toEqual(['inner']);
  });

  it('undoes its open transaction where it is disposed of after a statement failed', async () => {
    await run(async () => {
      await app.write('own');
      const broken = (async () => {
        await using other = runner();
        await other.startTransaction();
        await other.manager.insert(Note, { id: 'inner' });
        await other.manager.insert(Note, { id: 'own' });
      })();
      await expect(broken).rejects.toThrow();
      await using further = runner();
      await further.startTransaction();
      await further.manager.insert(Note, { id: 'further' });
    });
    expect(await app.saved()).toEqual(['further', 'own']);
  });

  it('looks at the schema through the transaction', async () => {
    await run(async () => {
      const other = runner();
      expect(await other.hasTable('note')).toBe(true);
      expect((await other.getTable('note'))?.columns.map(({ name }) => name)).toContain('amount');
      await other.release();
    });
  });
});
