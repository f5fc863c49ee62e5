import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecondConnectionError } from '../../../lib/errors/second-connection.error.js';
import { detach } from '../../../lib/unit-of-work/ambient.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { Note } from '../../support/unit-entities.js';
import { type NotesApp, openNotes } from '../../support/unit-notes.js';

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

describe('one SQLite file and two processes', () => {
  it('lose nothing, and neither blocks its event loop while it waits for the other', async () => {
    const [file] = await reachableDatabases('file');
    const app = await openNotes(file!);
    const path = String(app.dataSource.options.database);
    // Holds the write lock again and again, for 300 ms at a time.
    const script = `
      const db = require('better-sqlite3')(process.argv[1], { timeout: 5000 });
      process.stdout.write('ready');
      for (let i = 0; i < 5; i++) {
        db.exec('BEGIN IMMEDIATE');
        db.prepare('INSERT INTO note (id) VALUES (?)').run('other-' + i);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        db.exec('COMMIT');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
      db.close();`;
    const other = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(other, 'exit');
    await once(other.stdout, 'data');
    const stalls = monitorEventLoopDelay({ resolution: 5 });
    stalls.enable();
    for (let i = 0; i < 20; i++) {
      await app.transactor.run(async () => {
        const seen = await app.notes.count();
        await app.notes.insert({ id: `own-${i}`, amount: seen });
      });
      await app.write(`plain-${i}`);
    }
    stalls.disable();
    expect(await exited).toEqual([0, null]);
    const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
    expect(await app.saved()).toEqual([...names('other', 5), ...names('own', 20), ...names('plain', 20)].toSorted());
    // Waiting in SQLite itself stalls for as long as the other holds the lock.
    expect(stalls.max / 1e6).toBeLessThan(200);
    await app.database.close();
  });
});
