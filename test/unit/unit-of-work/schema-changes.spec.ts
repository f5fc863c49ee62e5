import { type QueryRunner, Table, TableColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const undo = new Error('undo');

/** What TypeORM keeps in a query runner while it changes the schema. */
interface Caches {
  readonly loadedTables: unknown[];
  readonly loadedViews: unknown[];
  readonly cachedTablePaths: object;
}

describe.each(await reachableDatabases())('on $name, query runners that change the schema in one unit', (kind) => {
  let app: NotesApp;

  beforeAll(async () => {
    app = await openNotes(kind);
  });

  afterAll(() => app.database.close());

  /** Runs the work in a unit that is rolled back. */
  async function inUnit(work: (runner: () => QueryRunner) => Promise<void>): Promise<void> {
    const unit = app.transactor.run(async () => {
      await work(() => app.dataSource.createQueryRunner());
      throw undo;
    });
    await expect(unit).rejects.toBe(undo);
  }

  const table = (name: string) => new Table({ name, columns: [{ name: 'id', type: 'int', isPrimary: true }] });

  const texts = (queries: readonly { query: string }[]) => queries.map(({ query }) => query);

  it('collect SQL independently', async () => {
    await inUnit(async (runner) => {
      const [first, second] = [runner(), runner()];
      first.enableSqlMemory();
      second.enableSqlMemory();
      await first.createTable(table('first_one'));
      await second.createTable(table('second_one'));
      expect(texts(first.getMemorySql().upQueries)).toEqual([expect.stringContaining('first_one')]);
      expect(texts(second.getMemorySql().downQueries)).toEqual([expect.stringContaining('second_one')]);
      first.clearSqlMemory();
      expect(second.getMemorySql().upQueries).toHaveLength(1);
    });
  });

  it('remember tables and views independently', async () => {
    await inUnit(async (runner) => {
      const [first, second] = [runner(), runner()] as unknown as (QueryRunner & Caches)[];
      await first?.getTable('note');
      expect([first?.loadedTables, second?.loadedTables]).toMatchObject([[{}], []]);
      for (const cache of ['loadedTables', 'loadedViews', 'cachedTablePaths'] as const) {
        expect(first?.[cache]).toBe(first?.[cache]);
        expect(first?.[cache]).not.toBe(second?.[cache]);
      }
    });
  });

  // DDL would commit the unit there, and is refused.
  describe.skipIf(kind.kind === 'mariadb')('and run the SQL that they collect', () => {
    it('undo their own changes alone', async () => {
      await inUnit(async (runner) => {
        const [first, second] = [runner(), runner()];
        await first.createTable(table('first_one'));
        await second.createTable(table('second_one'));
        await second.executeMemoryDownSql();
        const tables = [await runner().hasTable('first_one'), await runner().hasTable('second_one')];
        expect(tables).toEqual([true, false]);
      });
    });

    it('see the changes that bypass another one', async () => {
      await inUnit(async (runner) => {
        const column = (name: string) => new TableColumn({ name, type: 'int', isNullable: true });
        await runner().addColumn('note', column('first_one'));
        await runner().query('ALTER TABLE note ADD COLUMN raw_one int');
        await runner().addColumn('note', column('second_one'));
        const found = await runner().getTable('note');
        expect(found?.columns.map(({ name }) => name)).toEqual(
          expect.arrayContaining(['first_one', 'raw_one', 'second_one']),
        );
      });
    });
  });

  // Elsewhere they have connections of their own.
  it.skipIf(!['memory', 'file'].includes(kind.kind))(
    'undo their own changes alone, also in a transaction of the application',
    async () => {
      const transaction = app.dataSource.transaction(async () => {
        const [first, second] = [app.dataSource.createQueryRunner(), app.dataSource.createQueryRunner()];
        await first.createTable(table('first_one'));
        await second.createTable(table('second_one'));
        await second.executeMemoryDownSql();
        expect([await first.hasTable('first_one'), await first.hasTable('second_one')]).toEqual([true, false]);
        throw undo;
      });
      await expect(transaction).rejects.toBe(undo);
    },
  );
});
