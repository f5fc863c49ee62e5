import type { GuardedApp } from './guarded-app.js';
import { Letter, Ticket } from './guarded-entities.js';

export type Write = (app: GuardedApp, fileId: string) => Promise<unknown>;

export const tickets = ({ dataSource }: GuardedApp) => dataSource.getRepository(Ticket);
export const made = async (app: GuardedApp): Promise<string> => (await tickets(app).save({ title: 'made' })).id;

/** Every kind of write by which TypeORM lets a row name a file. */
export const WRITES: [string, Write][] = [
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
    'an insert query builder that ignores conflicts and leaves its values alone',
    (app, id) =>
      app.dataSource
        .createQueryBuilder()
        .insert()
        .into(Ticket)
        .values({ imageIds: [id] })
        .orIgnore()
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
