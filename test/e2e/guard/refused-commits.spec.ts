import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Ticket } from '../../support/guarded-entities.js';

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'A query runner of the application on $name',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({ database });
    });
    afterAll(() => app.close());

    it('is refused the commit of a foreign file as often as it asks', async () => {
      const foreign = await app.upload('bob');
      const runner = app.dataSource.createQueryRunner();
      try {
        await runner.startTransaction();
        await runner.manager.insert(Ticket, { title: 'refused', attachmentId: foreign });
        for (let attempt = 0; attempt < 3; attempt++) {
          await expect(runner.commitTransaction()).rejects.toThrow(FilesNotOwnError);
        }
        await runner.rollbackTransaction();
      } finally {
        await runner.release();
      }
      expect(await app.dataSource.getRepository(Ticket).countBy({ attachmentId: foreign })).toBe(0);
      expect(await app.ownerOf(foreign)).toBe('user bob');
    });

    it('may commit once the row that was refused names an own file, and is refused another foreign one', async () => {
      const [foreign, other] = [await app.upload('bob'), await app.upload('bob')];
      const tickets = app.dataSource.getRepository(Ticket);
      const { id } = await tickets.save({ title: 'corrected' });
      const own = await app.fileOf('ticket', id);
      const runner = app.dataSource.createQueryRunner();
      try {
        await runner.startTransaction();
        for (const file of [foreign, other]) {
          await runner.manager.update(Ticket, id, { attachmentId: file });
          await expect(runner.commitTransaction()).rejects.toThrow(FilesNotOwnError);
        }
        await runner.manager.update(Ticket, id, { attachmentId: own });
        await runner.commitTransaction();
      } finally {
        await runner.release();
      }
      expect(await tickets.findOneByOrFail({ id })).toMatchObject({ attachmentId: own });
    });
  },
);
