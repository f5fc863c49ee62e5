import type { DataSource, QueryBuilder, UpdateQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/index.js';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { GUARDED, Letter, Ticket } from '../../support/guarded-entities.js';

type Make = (source: DataSource, title: string, attachmentId: string) => Promise<unknown>;

const of = (title: string): [string, { title: string }] => ['title = :title', { title }];
const updating = (source: DataSource, title: string, attachmentId: string): UpdateQueryBuilder<Ticket> =>
  source
    .createQueryBuilder()
    .update(Ticket)
    .set({ attachmentId })
    .where(...of(title));
/** TypeORM's types hide that a builder of any kind turns into one of any other. */
const turned = (builder: object): QueryBuilder<Ticket> => builder as QueryBuilder<Ticket>;

const WRITES: [string, Make][] = [
  [
    'a clone of an update',
    (...all) =>
      updating(...all)
        .clone()
        .execute(),
  ],
  [
    'a clone of a clone',
    (...all) =>
      updating(...all)
        .clone()
        .clone()
        .execute(),
  ],
  [
    'a clone of an insertion',
    (source, title, attachmentId) =>
      source.createQueryBuilder().insert().into(Ticket).values({ title, attachmentId }).clone().execute(),
  ],
  [
    'an update that an update has created',
    (source, title, attachmentId) =>
      updating(source, 'none', attachmentId)
        .createQueryBuilder()
        .update(Ticket)
        .set({ attachmentId })
        .where(...of(title))
        .execute(),
  ],
  [
    'an update that a deletion was turned into',
    (source, title, attachmentId) =>
      turned(source.createQueryBuilder().delete().from(Ticket))
        .update(Ticket, { attachmentId })
        .where(...of(title))
        .execute(),
  ],
  [
    'an update that a select of an update was turned into',
    (source, title, attachmentId) =>
      turned(updating(source, 'none', attachmentId))
        .select('id')
        .update(Ticket, { attachmentId })
        .where(...of(title))
        .execute(),
  ],
];

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Query builders on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: GUARDED });
  });
  afterAll(() => app.close());

  const tickets = () => app.dataSource.getRepository(Ticket);
  const ticketWithFile = async (title: string): Promise<{ id: string; fileId: string }> => {
    const { id } = await tickets().save({ title });
    const fileId = await app.fileOf('ticket', id);
    await tickets().update(id, { attachmentId: fileId });
    return { id, fileId };
  };

  it.each(WRITES)("refuse somebody else's file: %s", async (title, write) => {
    const foreign = await app.upload('bob');
    await tickets().save({ title });
    await expect(write(app.dataSource, title, foreign)).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await tickets().findBy({ attachmentId: foreign })).toEqual([]);
  });

  it("refuse somebody else's file: a clone of a relation", async () => {
    const foreign = await app.upload('bob');
    const letters = app.dataSource.getRepository(Letter);
    const { id } = await letters.save({});
    const relation = app.dataSource.createQueryBuilder().relation(Letter, 'attachment').clone();
    await expect(relation.of(id).set(foreign)).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await letters.findOneByOrFail({ id })).toMatchObject({ attachmentId: null });
  });

  it('remove the files of the rows that the clone of a deletion removes', async () => {
    const { fileId } = await ticketWithFile('clone');
    const deletion = tickets()
      .createQueryBuilder()
      .delete()
      .where(...of('clone'));
    await deletion.clone().execute();
    expect(await app.ownerOf(fileId)).toBeUndefined();
  });

  it('check the rows that the clone of a recovery brings back', async () => {
    const { id, fileId } = await ticketWithFile('recovery');
    await tickets().softDelete(id);
    await app.dataSource.getRepository(ManagedFile).update(fileId, { ownerType: 'user', ownerId: 'bob' });
    const recovery = tickets()
      .createQueryBuilder()
      .restore()
      .where(...of('recovery'));
    await expect(recovery.clone().execute()).rejects.toBeInstanceOf(FilesNotOwnError);
    expect(await tickets().findOneBy({ id })).toBeNull();
  });

  it('write an own file through a clone', async () => {
    const { id } = await tickets().save({ title: 'own' });
    const fileId = await app.fileOf('ticket', id);
    await updating(app.dataSource, 'own', fileId).clone().execute();
    expect(await tickets().findOneByOrFail({ id })).toMatchObject({ attachmentId: fileId });
  });
});
