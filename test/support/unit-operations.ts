import { type DataSource, Repository } from 'typeorm';
import { ActiveNote, Album, Audit, Folder, Note, Person, Pet, Song, Tag, Watched } from './unit-entities.js';

export interface Operation {
  readonly title: string;
  /** Writes something, with what an application has at hand: its data source and what was injected long before. */
  readonly write: (app: Injected) => Promise<unknown>;
}

class NoteRepository extends Repository<Note> {
  touch(): Promise<unknown> {
    return this.update('kept', { body: 'touched' });
  }
}

/** What an application's providers were given at boot, before any unit of work. */
export type Injected = ReturnType<typeof inject>;

export function inject(dataSource: DataSource) {
  const notes = dataSource.getRepository(Note);
  return {
    dataSource,
    manager: dataSource.manager,
    notes,
    people: dataSource.getRepository(Person),
    pets: dataSource.getRepository(Pet),
    albums: dataSource.getRepository(Album),
    songs: dataSource.getRepository(Song),
    watched: dataSource.getRepository(Watched),
    audits: dataSource.getRepository(Audit),
    folders: dataSource.getTreeRepository(Folder),
    extended: notes.extend({
      touch() {
        return this.update('kept', { body: 'touched' });
      },
    }),
    custom: new NoteRepository(Note, dataSource.createEntityManager()),
    customOfManager: new NoteRepository(Note, dataSource.manager),
  };
}

const fresh = { id: 'new', body: 'new', amount: 1 };

const REPOSITORY: Operation[] = [
  { title: 'save of a new entity', write: ({ notes }) => notes.save({ ...fresh }) },
  { title: 'save of a loaded entity', write: async ({ notes }) => notes.save({ ...(await kept(notes)), body: 'new' }) },
  { title: 'save of many in chunks', write: ({ notes }) => notes.save([{ id: 'n1' }, { id: 'n2' }], { chunk: 1 }) },
  { title: 'save without a transaction', write: ({ notes }) => notes.save({ ...fresh }, { transaction: false }) },
  { title: 'insert', write: ({ notes }) => notes.insert({ ...fresh }) },
  { title: 'update', write: ({ notes }) => notes.update('kept', { body: 'new' }) },
  { title: 'updateAll', write: ({ notes }) => notes.updateAll({ body: 'new' }) },
  { title: 'delete', write: ({ notes }) => notes.delete('kept') },
  { title: 'deleteAll', write: ({ notes }) => notes.deleteAll() },
  { title: 'softDelete', write: ({ notes }) => notes.softDelete('kept') },
  { title: 'restore', write: ({ notes }) => notes.restore('gone') },
  { title: 'increment', write: ({ notes }) => notes.increment({ id: 'kept' }, 'amount', 5) },
  { title: 'decrement', write: ({ notes }) => notes.decrement({ id: 'kept' }, 'amount', 5) },
  { title: 'upsert of a new row', write: ({ notes }) => notes.upsert({ ...fresh }, ['id']) },
  { title: 'upsert of an existing row', write: ({ notes }) => notes.upsert({ ...fresh, id: 'kept' }, ['id']) },
  { title: 'remove', write: async ({ notes }) => notes.remove(await kept(notes)) },
  { title: 'softRemove', write: async ({ notes }) => notes.softRemove(await kept(notes)) },
  {
    title: 'recover',
    write: async ({ notes }) => notes.recover(await notes.findOneOrFail({ where: { id: 'gone' }, withDeleted: true })),
  },
  { title: 'repository.query', write: ({ notes }) => notes.query(`DELETE FROM note`) },
  { title: 'repository.extend', write: ({ extended }) => extended.touch() },
  { title: 'a class that extends Repository', write: ({ custom }) => custom.touch() },
  {
    title: 'the manager of a class that extends Repository',
    write: ({ custom }) => custom.manager.delete(Note, 'kept'),
  },
  {
    title: 'manager.withRepository',
    write: ({ manager, customOfManager }) => manager.withRepository(customOfManager).touch(),
  },
  {
    title: 'TreeRepository.save',
    write: async ({ folders }) => folders.save({ id: 'child', parent: await folders.findOneByOrFail({ id: 'root' }) }),
  },
];

const BUILDERS: Operation[] = [
  {
    title: 'an insert query builder',
    write: ({ notes }) =>
      notes
        .createQueryBuilder()
        .insert()
        .values({ ...fresh })
        .execute(),
  },
  {
    title: 'an update query builder',
    write: ({ notes }) => notes.createQueryBuilder().update({ body: 'new' }).where({ id: 'kept' }).execute(),
  },
  {
    title: 'a delete query builder',
    write: ({ notes }) => notes.createQueryBuilder().delete().where({ id: 'kept' }).execute(),
  },
  {
    title: 'a softDelete query builder',
    write: ({ notes }) => notes.createQueryBuilder().softDelete().where({ id: 'kept' }).execute(),
  },
  {
    title: 'a restore query builder',
    write: ({ notes }) => notes.createQueryBuilder().restore().where({ id: 'gone' }).execute(),
  },
  {
    title: 'dataSource.createQueryBuilder',
    write: ({ dataSource }) =>
      dataSource
        .createQueryBuilder()
        .insert()
        .into(Note)
        .values({ ...fresh })
        .execute(),
  },
  {
    title: 'a relation query builder that sets',
    write: ({ pets }) => pets.createQueryBuilder().relation('owner').of('stray').set('ann'),
  },
  {
    title: 'a relation query builder that adds',
    write: ({ people }) => people.createQueryBuilder().relation('tags').of('ann').add('blue'),
  },
  {
    title: 'a relation query builder that removes',
    write: ({ people }) => people.createQueryBuilder().relation('tags').of('ann').remove('red'),
  },
];

const DATA_SOURCE: Operation[] = [
  { title: 'dataSource.query', write: ({ dataSource }) => dataSource.query(`UPDATE note SET body = 'new'`) },
  { title: 'dataSource.sql', write: ({ dataSource }) => dataSource.sql`UPDATE note SET body = ${'new'}` },
  { title: 'dataSource.manager', write: ({ dataSource }) => dataSource.manager.save(Note, { ...fresh }) },
  { title: 'manager.query', write: ({ manager }) => manager.query(`DELETE FROM note`) },
  { title: 'manager.upsert', write: ({ manager }) => manager.upsert(Note, { ...fresh }, ['id']) },
  { title: 'manager.delete', write: ({ manager }) => manager.delete(Note, { id: 'kept' }) },
  { title: 'dataSource.getRepository', write: ({ dataSource }) => dataSource.getRepository(Note).insert({ ...fresh }) },
  {
    title: 'dataSource.transaction, through its manager',
    write: ({ dataSource }) => dataSource.transaction((manager) => manager.save(Note, { ...fresh })),
  },
  {
    title: 'dataSource.transaction, through an injected repository',
    write: ({ dataSource, notes }) => dataSource.transaction(() => notes.save({ ...fresh })),
  },
  {
    title: 'manager.transaction, and one more inside of it',
    write: ({ manager }) =>
      manager.transaction((outer) => outer.transaction((inner) => inner.insert(Note, { ...fresh }))),
  },
  {
    title: 'dataSource.createEntityManager',
    write: ({ dataSource }) => dataSource.createEntityManager().insert(Note, { ...fresh }),
  },
  { title: 'BaseEntity.save', write: () => ActiveNote.create({ id: 'new' }).save() },
  { title: 'BaseEntity.remove', write: async () => (await ActiveNote.findOneByOrFail({ id: 'kept' })).remove() },
  { title: 'static methods of BaseEntity', write: () => ActiveNote.update('kept', { body: 'new' }) },
  {
    title: 'a subscriber, through the manager of its event',
    write: ({ watched }) => watched.save({ id: 'by-manager' }),
  },
  {
    title: 'a subscriber, through a repository of its own',
    write: ({ watched }) => watched.save({ id: 'by-repository' }),
  },
];

const RELATIONS: Operation[] = [
  { title: 'a cascade', write: ({ people }) => people.save({ id: 'bob', pets: [{ id: 'cat' }] }) },
  { title: 'a many-to-many cascade', write: ({ people }) => people.save({ id: 'bob', tags: [{ id: 'green' }] }) },
  {
    title: 'a many-to-many that is emptied',
    write: async ({ people }) =>
      people.save({ ...(await people.findOneOrFail({ where: { id: 'ann' }, relations: { tags: true } })), tags: [] }),
  },
  {
    title: 'a lazy relation that is set',
    write: async ({ albums, songs }) => {
      const album = await albums.findOneByOrFail({ id: 'one' });
      return songs.save(songs.create({ id: 'second', album: Promise.resolve(album) }));
    },
  },
  {
    title: 'a lazy relation that is added to',
    write: async ({ albums, songs }) => {
      const album = await albums.findOneByOrFail({ id: 'one' });
      album.songs = Promise.resolve([...(await album.songs), songs.create({ id: 'second' })]);
      return albums.save(album);
    },
  },
  {
    title: 'a row of a related entity',
    write: ({ dataSource }) => dataSource.getRepository(Tag).insert({ id: 'green' }),
  },
];

const RUNNERS: Operation[] = [
  {
    title: 'a query runner made by hand',
    write: async ({ dataSource }) => {
      const runner = dataSource.createQueryRunner();
      await runner.query(`DELETE FROM note`);
      await runner.release();
    },
  },
  {
    title: 'a query runner with a transaction of its own',
    write: async ({ dataSource }) => {
      const runner = dataSource.createQueryRunner();
      await runner.connect();
      await runner.startTransaction();
      await runner.manager.insert(Note, { ...fresh });
      await runner.commitTransaction();
      await runner.release();
    },
  },
  {
    title: 'the manager of a query runner',
    write: async ({ dataSource }) => {
      const runner = dataSource.createQueryRunner();
      await runner.manager.getRepository(Note).save({ ...fresh });
      await runner.release();
    },
  },
  {
    title: 'a query builder on a query runner',
    write: async ({ dataSource }) => {
      const runner = dataSource.createQueryRunner();
      await dataSource.createQueryBuilder(runner).delete().from(Note).execute();
      await runner.release();
    },
  },
];

/** Every kind of write that TypeORM offers. */
export const operations = [...REPOSITORY, ...BUILDERS, ...DATA_SOURCE, ...RELATIONS, ...RUNNERS];

function kept(notes: Repository<Note>): Promise<Note> {
  return notes.findOneByOrFail({ id: 'kept' });
}
