import type { UpdateQueryBuilder } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { GUARDED, Ticket } from '../../support/guarded-entities.js';

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Clauses of writes on $name', (database) => {
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
  const updating = (title: string, attachmentId: string | null): UpdateQueryBuilder<Ticket> =>
    tickets().createQueryBuilder().update().set({ attachmentId }).where('title = :title', { title });

  describe('RETURNING', () => {
    const isOf = (what: 'update' | 'delete'): boolean =>
      database.kind === 'postgres' || (what === 'delete' && database.kind === 'mariadb');

    it.runIf(isOf('update'))('checks and gives back the rows that an update writes', async () => {
      const { id, fileId } = await ticketWithFile('returning');
      const foreign = await app.upload('bob');
      const refused = updating('returning', foreign).returning(['id']).execute();
      await expect(refused).rejects.toBeInstanceOf(FilesNotOwnError);
      const { raw } = await updating('returning', null).returning(['id', 'attachmentId']).execute();
      expect(raw).toEqual([{ id, attachmentId: null }]);
      expect(await app.ownerOf(fileId)).toBeUndefined();
    });

    it.runIf(isOf('delete'))('returns the rows whose files a deletion removes', async () => {
      const { id, fileId } = await ticketWithFile('deleted');
      const deletion = tickets().createQueryBuilder().delete().where('title = :title', { title: 'deleted' });
      expect(await deletion.returning(['id']).execute()).toMatchObject({ raw: [{ id }] });
      expect(await app.ownerOf(fileId)).toBeUndefined();
    });

    it.runIf(isOf('update'))('gives back the rows that a recovery brings back', async () => {
      const { id, fileId } = await ticketWithFile('recovered');
      await tickets().softDelete(id);
      const recovery = tickets().createQueryBuilder().restore().where('title = :title', { title: 'recovered' });
      expect(await recovery.returning(['id']).execute()).toMatchObject({ raw: [expect.objectContaining({ id })] });
      expect(await tickets().findOneBy({ id })).toMatchObject({ attachmentId: fileId });
    });
  });

  it('reads the rows by the condition, not by a comment that looks like one', async () => {
    const foreign = await app.upload('bob');
    await tickets().save({ title: 'comment' });
    const refused = updating('comment', foreign).comment(`the rows WHERE title = 'none'`).execute();
    await expect(refused).rejects.toBeInstanceOf(FilesNotOwnError);
  });

  describe.skipIf(database.kind === 'mariadb')('A common table expression', () => {
    const own = (fileId: string): string => `SELECT '${fileId}' AS "id"`;

    it('gives values that are checked', async () => {
      const { id, fileId } = await ticketWithFile('values');
      const cast = database.kind === 'postgres' ? 'CAST(t."id" AS uuid)' : 't."id"';
      const name = (file: string): Promise<unknown> =>
        tickets()
          .createQueryBuilder()
          .addCommonTableExpression(own(file), 'given')
          .update()
          .set({ coverId: () => `(SELECT ${cast} FROM "given" t)` })
          .where('title = :title', { title: 'values' })
          .execute();
      await expect(name(await app.upload('bob'))).rejects.toBeInstanceOf(FilesNotOwnError);
      await name(fileId);
      expect(await tickets().findOneBy({ id })).toMatchObject({ coverId: fileId });
    });

    it.each([['id IN (SELECT id FROM given)'], ['EXISTS (SELECT 1 FROM "GIVEN" g WHERE g.id = ticket.id)']])(
      'is refused in a condition: %s',
      async (condition) => {
        const { id, fileId } = await ticketWithFile('condition');
        const title = app.dataSource.createQueryBuilder().select('t.id', 'id').from(Ticket, 't').where({ id });
        const write = tickets()
          .createQueryBuilder()
          .addCommonTableExpression(title, 'given')
          .update()
          .set({ attachmentId: null })
          .where(condition)
          .execute();
        await expect(write).rejects.toMatchObject({
          code: 'FILES_RECORD_WRITE_UNSEEN',
          message: expect.stringMatching(/common table "given".*subquery/) as string,
        });
        expect(await tickets().findOneBy({ id })).toMatchObject({ attachmentId: fileId });
      },
    );

    it('is no obstacle to a condition without it', async () => {
      const { id } = await ticketWithFile('without');
      await tickets()
        .createQueryBuilder()
        .addCommonTableExpression(own(id), 'it')
        .update()
        .set({ attachmentId: null })
        .where('title = :title', { title: 'without' })
        .execute();
      expect(await tickets().findOneBy({ id })).toMatchObject({ attachmentId: null });
    });
  });
});
