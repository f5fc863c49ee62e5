import { type DataSource, type EntityManager, Repository } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHandedOtherTransaction } from '../../../lib/unit-of-work/scopes/handed-transaction.js';
import { reachableDatabases } from '../../support/databases.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases('file'))('on $name, the check of handed transactions', (database) => {
  let app: NotesApp;
  let other: NotesApp;
  let dataSource: DataSource;

  beforeAll(async () => {
    app = await openNotes(database);
    other = await openNotes(database);
    ({ dataSource } = app);
  });
  afterAll(async () => {
    await app.database.close();
    await other.database.close();
  });

  const isOther = (...args: unknown[]) => isHandedOtherTransaction(dataSource, args);
  /** What a transaction leads to that was begun by hand, outside of the flow. */
  const begun = async <T>(source: DataSource, look: (manager: EntityManager) => T | Promise<T>): Promise<T> => {
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    try {
      return await look(runner.manager);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  };

  it('finds another transaction by its manager, or by a repository of that, in any argument', async () => {
    const found = await begun(dataSource, (manager) => [
      isOther(manager),
      isOther('id', manager.getRepository(Note)),
      isOther(new Repository(Note, manager), 1),
    ]);
    expect(found).toEqual([true, true, true]);
  });

  it('ignores the transaction of the flow itself', async () => {
    const own = await dataSource.transaction(async (manager) => isOther(manager, manager.getRepository(Note)));
    const units = await app.transactor.run(({ manager }) => isOther(manager, manager.getRepository(Note)));
    const joined = await dataSource.transaction((manager) => app.transactor.run(() => isOther(manager)));
    expect([own, units, joined]).toEqual([false, false, false]);
  });

  it('ignores managers without a transaction, and those of another data source', async () => {
    const runner = dataSource.createQueryRunner();
    const idle = isOther(runner.manager, dataSource.manager, app.notes, undefined, null, { queryRunner: 1 });
    await runner.release();
    expect([idle, isOther(), await begun(other.dataSource, (manager) => isOther(manager))]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
