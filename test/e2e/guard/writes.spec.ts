import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Letter, Sketch, Track } from '../../support/guarded-entities.js';
import { made, tickets, WRITES } from '../../support/guarded-writes.js';
import { installGuards } from '../../support/install-guards.js';

const databases = await reachableDatabases('memory', 'file', 'postgres', 'mariadb');
const places = databases.flatMap((database) => [
  { name: database.name, database, isGuarded: false },
  ...(database.kind === 'postgres' ? [{ name: `${database.name}, guarded itself`, database, isGuarded: true }] : []),
]);

describe.each(places)('Guarded rows on $name', ({ database, isGuarded }) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database });
    if (isGuarded) await installGuards(app.dataSource);
  });
  afterAll(() => app.close());

  const named = async (): Promise<unknown[]> => {
    const rows = await tickets(app).find({ withDeleted: true });
    const tracks = await app.dataSource.getRepository(Track).find();
    const letters = await app.dataSource.getRepository(Letter).find();
    return [
      ...rows.flatMap(({ attachmentId, coverId, imageIds }) => [attachmentId, coverId, ...(imageIds ?? [])]),
      ...tracks.map(({ fileId }) => fileId),
      ...letters.map(({ attachmentId }) => attachmentId),
    ].filter((id) => id !== null);
  };

  it.each(WRITES)('refuse a foreign file: %s', async (_, write) => {
    const file = await app.upload('bob');
    await expect(write(app, file)).rejects.toThrow(FilesNotOwnError);
    expect(await named()).not.toContain(file);
    expect(await app.ownerOf(file)).toBe('user bob');
  });

  it.each(WRITES)('refuse a foreign file in a unit of work: %s', async (_, write) => {
    const file = await app.upload('bob');
    await expect(app.queue.run(() => write(app, file))).rejects.toThrow(FilesNotOwnError);
    expect(await named()).not.toContain(file);
  });

  it('accept a file that was transferred to the row in the same transaction', async () => {
    const file = await app.upload();
    const ticket = await app.queue.run(async () => {
      const saved = await tickets(app).save({ attachmentId: file });
      await app.files.transferOwnership(file, { ownerType: 'ticket', ownerId: saved.id, pin: true });
      return saved;
    });
    expect(await app.ownerOf(file)).toBe(`ticket ${ticket.id}*`);
  });

  it('refuse a missing file and a text that is not an id', async () => {
    await expect(tickets(app).save({ attachmentId: '0199c0de-0000-7000-8000-000000000001' })).rejects.toThrow(
      FilesNotOwnError,
    );
    await expect(tickets(app).save({ imageIds: ['nonsense'] })).rejects.toThrow(/nonsense/);
  });

  it('cost no statement when no file column changes', async () => {
    const id = await made(app);
    app.statements.length = 0;
    await tickets(app).update(id, { title: 'other' });
    expect(app.statements).toHaveLength(1);
  });

  it('skip checks outside of units where the class says so', async () => {
    const file = await app.upload('bob');
    const sketches = app.dataSource.getRepository(Sketch);
    await sketches.save({ fileId: file });
    await expect(app.queue.run(() => sketches.save({ fileId: file }))).rejects.toThrow(FilesNotOwnError);
  });

  it('give a connection back after a refusal', async () => {
    const file = await app.upload('bob');
    for (let i = 0; i < 15; i++) await expect(tickets(app).insert({ attachmentId: file })).rejects.toThrow();
    expect(await tickets(app).count()).toBeGreaterThan(0);
  });
});
