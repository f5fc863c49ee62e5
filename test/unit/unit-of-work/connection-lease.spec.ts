import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SecondConnectionMissingError } from '../../../lib/errors/units.errors.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { PGLITES } from '../../support/pglite.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

const databases = [...(await reachableDatabases('memory', 'file')), ...PGLITES];

describe.each(databases)('the one connection of $name', (database) => {
  let app: NotesApp;

  beforeAll(async () => void (app = await openNotes(database)));
  beforeEach(() => app.clear());
  afterAll(() => app.database.close());

  // Yields to the neighbours between statements, as a handler does that waits for something else.
  const pause = () => delay(Math.random() * 3);

  it('keeps exactly the writes that reported success: 300 operations at once, a third of them failing', async () => {
    const failing = (i: number) => i % 3 === 0;
    const attempt = async (i: number, write: (id: string) => Promise<unknown>): Promise<void> => {
      await write(`${i}-a`);
      await pause();
      await write(`${i}-b`);
      if (failing(i)) throw new Error(`operation ${i}`);
    };
    const kinds: ((i: number) => Promise<unknown>)[] = [
      (i) => app.transactor.run(() => attempt(i, (id) => app.write(id))),
      (i) => app.dataSource.transaction((manager) => attempt(i, (id) => manager.insert(Note, { id }))),
      // Fails by itself: the second of the two has no id.
      (i) => app.notes.save([{ id: `${i}-a` }, failing(i) ? ({} as Note) : { id: `${i}-b` }]),
      (i) => app.transactor.run(() => app.transactor.run(() => attempt(i, (id) => app.write(id)))),
    ];
    const operations = Array.from({ length: 300 }, (_, i) => kinds[Math.floor(i / 3) % kinds.length]!(i));
    const outcomes = await Promise.allSettled(operations);
    const succeeded = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${i}-a`, `${i}-b`] : []));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(100);
    expect(await app.saved()).toEqual(succeeded.toSorted());
  });

  it('is given to those who wait for it in the order they came', async () => {
    const order: number[] = [];
    const units = [0, 1, 2, 3, 4].map((i) => app.transactor.run(async () => (await pause(), order.push(i))));
    await Promise.all(units);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('is shared with repositories inside of the application’s own transaction, which undoes their writes', async () => {
    const failing = app.dataSource.transaction(async (manager) => {
      await manager.insert(Note, { id: 'by manager' });
      await app.write('by repository');
      await app.dataSource.transaction((inner) => inner.insert(Note, { id: 'nested' }));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await app.saved()).toEqual([]);
  });

  it('is refused at once to a query runner from before the unit, which would wait for ever', async () => {
    const older = app.dataSource.createQueryRunner();
    const unit = app.transactor.run(async () => {
      await app.write('own');
      await older.query('SELECT 1');
    });
    await expect(unit).rejects.toThrow(SecondConnectionMissingError);
    expect(await app.saved()).toEqual([]);
    expect(await older.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is refused at once to another query runner inside of the application’s own transaction', async () => {
    const older = app.dataSource.createQueryRunner();
    const transaction = app.dataSource.transaction(async (manager) => {
      await manager.insert(Note, { id: 'own' });
      await older.query('SELECT 1');
    });
    await expect(transaction).rejects.toThrow(SecondConnectionMissingError);
    expect(await app.saved()).toEqual([]);
  });

  it('is kept by a query runner until the last of its statements has ended', async () => {
    const runner = app.dataSource.createQueryRunner();
    const slow = gate();
    const subscriber = {
      beforeQuery: ({ query }: { query: string }) => (query.includes('slow') ? slow.opened : undefined),
    };
    app.dataSource.subscribers.push(subscriber);
    const first = runner.query('SELECT 1');
    await Promise.resolve();
    const second = runner.query(`INSERT INTO note (id) VALUES ('slow')`);
    await first;
    const unit = app.transactor.run(async () => {
      await app.write('undone');
      slow.open();
      await second;
      throw new Error('no');
    });
    setImmediate(slow.open);
    await expect(unit).rejects.toThrow('no');
    expect(await app.saved()).toEqual(['slow']);
  });

  it('is given to detached work once the unit has ended', async () => {
    let detached: Promise<unknown> = Promise.resolve();
    await app.transactor.run(async () => {
      detached = detach(() => app.write('detached'));
      await app.write('own');
    });
    await detached;
    expect(await app.saved()).toEqual(['detached', 'own']);
  });

  it('is free again when a runner is released in the middle of its transaction, which is rolled back', async () => {
    const runner = app.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Note, { id: 'never committed' });
    const next = app.write('next');
    await runner.release();
    await next;
    expect(await app.saved()).toEqual(['next']);
  });
});
