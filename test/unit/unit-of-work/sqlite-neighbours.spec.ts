import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { SqliteNeighbour } from '../../support/sqlite-neighbour.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp, openNotes } from '../../support/unit-notes.js';

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
    const busy: number[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await neighbour.write(id, { hold: 'until told' });
      const before = performance.eventLoopUtilization();
      let isOver = false;
      const unit = app.transactor.run(() => app.write(`after ${id}`)).finally(() => (isOver = true));
      await delay(200);
      busy.push(performance.eventLoopUtilization(before).utilization);
      expect(isOver).toBe(false);
      await neighbour.commit();
      await unit;
    }
    // A loop that is idle can be served, however late that is on a busy machine; one that waits in SQLite never is.
    expect(busy.toSorted((a, b) => a - b)[2]).toBeLessThan(0.5);
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
    await neighbour.write('other', { hold: 'until told' });
    await expect(impatient.transactor.run(() => impatient.write('early'))).rejects.toMatchObject({
      driverError: { code: 'SQLITE_BUSY' },
    });
    await neighbour.commit();
    await impatient.transactor.run(() => impatient.write('later'));
    expect(await app.saved()).toEqual(['later', 'other']);
    await impatient.dataSource.destroy();
  });

  function impatientDataSource(): Promise<DataSource> {
    const { database } = app.dataSource.options as { database: string };
    return new DataSource({ type: 'better-sqlite3', database, timeout: 20, entities: [Note] }).initialize();
  }
});
