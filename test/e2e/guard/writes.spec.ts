import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Letter, Sketch, Ticket, Track } from '../../support/guarded-entities.js';

type Write = (app: GuardedApp, fileId: string) => Promise<unknown>;

const tickets = ({ dataSource }: GuardedApp) => dataSource.getRepository(Ticket);
const made = async (app: GuardedApp): Promise<string> => (await tickets(app).save({ title: 'made' })).id;

/** Every kind of write by which TypeORM lets a row name a file. */
const WRITES: [string, Write][] = [
  ['save of a new entity', (app, id) => tickets(app).save({ attachmentId: id })],
  [
    'save of a loaded entity',
    async (app, id) => {
      const ticket = await tickets(app).findOneByOrFail({ id: await made(app) });
      return tickets(app).save({ ...ticket, attachmentId: id });
    },
  ],
  ['save without a transaction', (app, id) => tickets(app).save({ coverId: id }, { transaction: false })],
  ['save without listeners', (app, id) => tickets(app).save({ coverId: id }, { listeners: false })],
  ['save without reading back', (app, id) => tickets(app).save({ imageIds: [id] }, { reload: false })],
  ['save of a list', (app, id) => tickets(app).save([{ title: 'one' }, { imageIds: [id] }])],
  ['insert', (app, id) => tickets(app).insert({ attachmentId: id })],
  ['insert of several', (app, id) => tickets(app).insert([{ title: 'one' }, { imageIds: [id] }])],
  ['update by id', async (app, id) => tickets(app).update(await made(app), { attachmentId: id })],
  [
    'update by criteria',
    async (app, id) => {
      await made(app);
      return tickets(app).update({ title: 'made' }, { attachmentId: id });
    },
  ],
  [
    'update of a list by criteria',
    async (app, id) => {
      await made(app);
      return tickets(app).update({ title: 'made' }, { imageIds: [id] });
    },
  ],
  [
    'updateAll',
    async (app, id) => {
      await made(app);
      return tickets(app).updateAll({ coverId: id });
    },
  ],
  [
    'upsert of a new row',
    (app, id) => tickets(app).upsert({ id: '0199c0de-0000-7000-8000-00000000000a', coverId: id }, ['id']),
  ],
  ['upsert of an existing row', async (app, id) => tickets(app).upsert({ id: await made(app), coverId: id }, ['id'])],
  [
    'an insert query builder',
    (app, id) => app.dataSource.createQueryBuilder().insert().into(Ticket).values({ attachmentId: id }).execute(),
  ],
  [
    'an insert query builder that leaves its values alone',
    (app, id) =>
      app.dataSource
        .createQueryBuilder()
        .insert()
        .into(Ticket)
        .values({ imageIds: [id] })
        .updateEntity(false)
        .execute(),
  ],
  [
    'an update query builder without listeners',
    async (app, id) =>
      app.dataSource
        .createQueryBuilder()
        .update(Ticket)
        .set({ attachmentId: id })
        .where('id = :ticket', { ticket: await made(app) })
        .callListeners(false)
        .execute(),
  ],
  [
    'an update query builder of a repository, with SQL for the value',
    async (app, id) => {
      await made(app);
      return tickets(app)
        .createQueryBuilder('t')
        .update()
        .set({ coverId: () => `'${id}'` })
        .where('title = :title', { title: 'made' })
        .execute();
    },
  ],
  ['a cascade', (app, id) => app.dataSource.getRepository('Album').save({ tracks: [{ name: 'a', fileId: id }] })],
  [
    'a relation query builder',
    async (app, id) => {
      const { id: letter } = await app.dataSource.getRepository(Letter).save({ subject: 'x' });
      return app.dataSource.createQueryBuilder().relation(Letter, 'attachment').of(letter).set(id);
    },
  ],
  ['a relation instead of the column', (app, id) => app.dataSource.getRepository(Letter).save({ attachment: { id } })],
  [
    "the application's own transaction",
    (app, id) => app.dataSource.transaction((manager) => manager.save(Ticket, { attachmentId: id })),
  ],
  [
    'a query runner of the application',
    async (app, id) => {
      const runner = app.dataSource.createQueryRunner();
      try {
        await runner.startTransaction();
        await runner.manager.insert(Ticket, { attachmentId: id });
        await runner.commitTransaction();
      } catch (error) {
        await runner.rollbackTransaction();
        throw error;
      } finally {
        await runner.release();
      }
    },
  ],
];

const databases = await reachableDatabases('memory', 'file', 'postgres', 'mariadb');

describe.each(databases)('Guarded rows on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database });
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

  it('refuse a missing file and a text that is no id', async () => {
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

  it('are not looked at outside of units where the class says so', async () => {
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
