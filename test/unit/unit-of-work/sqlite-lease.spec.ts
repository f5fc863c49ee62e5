import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecondConnectionError } from '../../../lib/errors/second-connection.error.js';
import { detach } from '../../../lib/unit-of-work/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { SqliteNeighbour } from '../../support/sqlite-neighbour.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp, openNotes } from '../../support/unit-notes.js';

describe.each(await reachableDatabases('memory', 'file'))('the one connection of $name', (database) => {
  let app: NotesApp;

  beforeEach(async () => void (app = await openNotes(database)));
  afterEach(() => app.database.close());

  // Yields to the neighbours between statements, as a handler does that waits for something else.
  const pause = () => delay(Math.random() * 3);

  it('keeps what reported success and nothing else: 300 operations at once, a third of them failing', async () => {
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
    await expect(unit).rejects.toThrow(SecondConnectionError);
    expect(await app.saved()).toEqual([]);
    expect(await older.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is refused at once to another query runner inside of the application’s own transaction', async () => {
    const older = app.dataSource.createQueryRunner();
    const transaction = app.dataSource.transaction(async (manager) => {
      await manager.insert(Note, { id: 'own' });
      await older.query('SELECT 1');
    });
    await expect(transaction).rejects.toThrow(SecondConnectionError);
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

/** Watches the event loop; what it gives back ends that and tells the longest time in milliseconds that no timer could run. */
function watchStalls(): () => number {
  let last = performance.now();
  let longest = 0;
  const beat = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(beat, 5);
  return () => {
    clearInterval(timer);
    // The loop may not have turned at all since.
    beat();
    return longest;
  };
}

describe('one SQLite file and two processes', () => {
  let app: NotesApp;
  let neighbour: SqliteNeighbour;

  beforeEach(async () => {
    const [file] = await reachableDatabases('file');
    app = await openNotes(file!);
    neighbour = await SqliteNeighbour.start(String(app.dataSource.options.database));
  });
  afterEach(async () => {
    await neighbour.stop();
    await app.database.close();
  });

  it('lose nothing', async () => {
    const own = Array.from({ length: 40 }, (_, i) => `own-${i}`);
    const writes = own.map((id, i) =>
      i % 2 ? app.write(id) : app.transactor.run(async () => app.notes.insert({ id, amount: await app.notes.count() })),
    );
    const others = ['other-0', 'other-1', 'other-2', 'other-3', 'other-4'];
    for (const id of others) {
      expect(await neighbour.write(id, { hold: 50 })).toBe('writing');
      await neighbour.committed();
    }
    await Promise.all(writes);
    expect(await app.saved()).toEqual([...own, ...others].toSorted());
  });

  it('do not block their event loop while they wait for each other', async () => {
    const stalls: number[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await neighbour.write(id, { hold: 400 });
      const committed = neighbour.committed();
      const stopped = watchStalls();
      await app.transactor.run(() => app.write(`after ${id}`));
      stalls.push(stopped());
      await committed;
    }
    // A busy machine stalls now and then; waiting in SQLite itself does every time, for as long as the other writes.
    expect(stalls.toSorted((a, b) => a - b)[2]).toBeLessThan(200);
    expect(await app.saved()).toHaveLength(10);
  });

  it('do not write between the read and the write of the other’s unit', async () => {
    await app.transactor.run(async () => {
      const amount = await app.notes.count();
      expect(await neighbour.write('other', { patience: 0 })).toBe('SQLITE_BUSY');
      await app.notes.insert({ id: 'own', amount });
    });
    expect(await neighbour.write('other')).toBe('writing');
    await neighbour.committed();
    expect(await app.saved()).toEqual(['other', 'own']);
  });

  it('give up after the busy timeout, and the connection works on', async () => {
    const impatient = appOn(await impatientDataSource(), app.database);
    await neighbour.write('other', { hold: 300 });
    const committed = neighbour.committed();
    await expect(impatient.transactor.run(() => impatient.write('early'))).rejects.toMatchObject({
      driverError: { code: 'SQLITE_BUSY' },
    });
    await committed;
    await impatient.transactor.run(() => impatient.write('later'));
    expect(await app.saved()).toEqual(['later', 'other']);
    await impatient.dataSource.destroy();
  });

  function impatientDataSource(): Promise<DataSource> {
    const { database } = app.dataSource.options as { database: string };
    return new DataSource({ type: 'better-sqlite3', database, timeout: 20, entities: [Note] }).initialize();
  }
});
