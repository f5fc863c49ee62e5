import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { SqliteNeighbour } from '../../support/sqlite-neighbour.js';
import { Note } from '../../support/unit-entities.js';
import { appOn, type NotesApp, openNotes } from '../../support/unit-notes.js';

/**
 * Watches the event loop; what it gives back ends that and tells the longest time in milliseconds that no timer could
 * run.
 */
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
