import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { type OpenDatabase, reachableDatabases } from '../../support/databases.js';
import { unitEntities } from '../../support/unit-entities.js';
import { inject, type Injected, operations } from '../../support/unit-operations.js';
import { seed, snapshot } from '../../support/unit-snapshot.js';
import { AuditThroughManager, AuditThroughRepository } from '../../support/unit-subscribers.js';

it('covers the kinds of write that TypeORM offers, each once', () => {
  expect(new Set(operations.map(({ title }) => title)).size).toBe(operations.length);
  expect(operations.length).toBeGreaterThanOrEqual(31);
});

describe.each(await reachableDatabases())('on $name, a unit of work', ({ open }) => {
  let database: OpenDatabase;
  let transactor: Transactor;
  let app: Injected;
  let before: string[];

  beforeAll(async () => {
    database = await open({ entities: unitEntities, subscribers: [AuditThroughManager] });
    app = inject(database.dataSource);
    database.dataSource.subscribers.push(new AuditThroughRepository(app.audits));
    transactor = new Transactor(database.dataSource);
  });

  afterAll(() => database.close());

  beforeEach(async () => {
    await seed(database.dataSource);
    before = await snapshot(database.read);
  });

  it.each(operations)('undoes $title', async ({ write }) => {
    const undo = new Error('undo');
    const unit = transactor.run(async () => {
      await write(app);
      expect(await snapshot((sql) => app.dataSource.query(sql))).not.toEqual(before);
      throw undo;
    });
    await expect(unit).rejects.toBe(undo);
    expect(await snapshot(database.read)).toEqual(before);
  });

  it.each(operations)('keeps $title', async ({ write }) => {
    const inside = await transactor.run(async () => {
      await write(app);
      return snapshot((sql) => app.dataSource.query(sql));
    });
    expect(inside).not.toEqual(before);
    expect(await snapshot(database.read)).toEqual(inside);
  });
});
