import { randomUUID } from 'node:crypto';
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import type { EntitySubscriberInterface } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles } from '../../../lib/index.js';
import { FilesInUseError, FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Binder, GUARDED, Page } from '../../support/guarded-entities.js';

@Entity()
@OwnsFiles('doc')
class Doc {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

/** Owns as the same type, and has no relation to it. */
@Entity()
@OwnsFiles('doc', { idField: 'docId' })
class DocPart {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 40 }) docId!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'An owner with several rows on $name',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({ database, entities: [...GUARDED, Doc, DocPart] });
    });
    afterAll(() => app.close());
    const repo = <T extends object>(type: new () => T) => app.dataSource.getRepository<T>(type);

    /** Two binders, and a page of the first with one of its files. */
    async function pageOfOne() {
      const [one, two] = [randomUUID(), randomUUID()];
      await repo(Binder).save([{ id: one }, { id: two }]);
      const file = await app.fileOf('binder', one);
      const page = await repo(Page).save({ binderId: one, scanId: file });
      return { one, two, file, page };
    }

    it('keeps the file that a page takes to another binder while a sibling names it', async () => {
      const { one, two, file, page } = await pageOfOne();
      await repo(Page).save({ binderId: one, scanId: file });
      await expect(repo(Page).update(page.id, { binderId: two })).rejects.toBeInstanceOf(FilesInUseError);
      expect(await app.ownerOf(file)).toBe(`binder ${one}*`);
    });

    it('keeps the file that a page takes to another binder while the binder names it', async () => {
      const { one, two, file, page } = await pageOfOne();
      await repo(Binder).update(one, { labelId: file });
      await expect(repo(Page).update(page.id, { binderId: two })).rejects.toBeInstanceOf(FilesInUseError);
      expect(await app.ownerOf(file)).toBe(`binder ${one}*`);
    });

    it('keeps the files of parts that were there before it', async () => {
      const id = randomUUID();
      const file = await app.fileOf('doc', id);
      await repo(DocPart).save({ docId: id, fileId: file });
      await repo(Doc).insert({ id });
      expect(await app.ownerOf(file)).toBe(`doc ${id}*`);
    });

    it('inherits nothing by a part that is made with it', async () => {
      const id = randomUUID();
      const file = await app.fileOf('doc', id);
      const work = app.queue.run(async () => {
        await repo(DocPart).insert({ docId: id, fileId: file });
        await repo(Doc).insert({ id });
      });
      await expect(work).rejects.toBeInstanceOf(FilesNotOwnError);
      expect(await app.ownerOf(file)).toBe(`doc ${id}*`);
    });

    it('keeps its id while a part names a file', async () => {
      const id = randomUUID();
      await repo(Doc).insert({ id });
      const file = await app.fileOf('doc', id);
      await repo(DocPart).save({ docId: id, fileId: file });
      await expect(repo(Doc).update(id, { id: randomUUID() })).rejects.toBeInstanceOf(FilesInUseError);
      expect(await app.ownerOf(file)).toBe(`doc ${id}*`);
    });

    it.skipIf(database.kind === 'memory').each(['unit', 'transaction'])(
      'keeps a file that a sibling comes to name while a page lets it go, in a %s',
      async (kind) => {
        const { one, file, page } = await pageOfOne();
        const [settled, locking, go] = [gate(), gate(), gate()];
        let isFirst = true;
        const subscriber: EntitySubscriberInterface = {
          beforeTransactionCommit: async () => {
            if (!isFirst) return;
            isFirst = false;
            settled.open();
            await go.opened;
          },
        };
        const { subscribers, logger } = app.dataSource;
        const logQuery = logger.logQuery.bind(logger);
        subscribers.push(subscriber);
        const run = <T>(work: () => Promise<T>): Promise<T> => (kind === 'unit' ? app.queue.run(work) : work());
        const sibling = run(() => repo(Page).save({ binderId: one, scanId: file }));
        await settled.opened;
        logger.logQuery = (sql, ...rest) => {
          if (/files_file.* FOR .*UPDATE/.test(sql)) locking.open();
          logQuery(sql, ...rest);
        };
        const letting = run(() => repo(Page).update(page.id, { scanId: null }));
        await locking.opened;
        logger.logQuery = logQuery;
        go.open();
        const { id } = await sibling;
        await letting;
        subscribers.splice(subscribers.indexOf(subscriber), 1);
        expect((await repo(Page).findOneByOrFail({ id })).scanId).toBe(file);
        expect(await app.ownerOf(file)).toBe(`binder ${one}*`);
      },
    );
  },
);
