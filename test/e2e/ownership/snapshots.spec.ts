import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/index.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { DirectUploads } from '../../../lib/files/uploads/direct-uploads.js';
import { StorageRegistry } from '../../../lib/storage/storage-registry.js';
import { Quotas } from '../../../lib/ownership/quotas/quotas.js';
import { reachableDatabases } from '../../support/databases.js';
import { directStorage } from '../../support/direct-storage.js';
import { detach } from '../../../lib/unit-of-work/scopes/ambient.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Contract, Loan, OWNERS, Shelf } from '../../support/owner-entities.js';

type Level = 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

describe.each(await reachableDatabases('postgres', 'mariadb'))('a unit behind its snapshot, on $name,', (database) => {
  let app: GuardedApp;
  let uploads: DirectUploads;
  const direct = directStorage();
  beforeAll(async () => {
    app = await guardedApp({
      database,
      entities: OWNERS,
      options: {
        storages: { default: memoryStorage(), other: memoryStorage(), direct: direct.storage },
        quotas: { team: { bytes: 1000 } },
      },
    });
    uploads = app.app.get(DirectUploads);
  });
  afterAll(() => app.close());

  /** Does `work` in a unit whose snapshot is older than what `others` have committed meanwhile. */
  async function behind<T>(isolationLevel: Level, others: () => Promise<unknown>, work: () => Promise<T>): Promise<T> {
    const read = gate();
    // They are outside of the unit: their flow begins here.
    const done = read.opened.then(others);
    return app.queue.run(
      async () => {
        await app.dataSource.getRepository(Loan).count();
        read.open();
        await done;
        return work();
      },
      { isolationLevel },
    );
  }
  const give = (file: string, ownerType: string, ownerId: string | number) => () =>
    app.files.transferOwnership(file, { ownerType, ownerId: String(ownerId) });
  const settled = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: Error) => `${error.name}: ${error.message}`,
    );

  // At SERIALIZABLE, MariaDB locks what is read, and the others wait.
  const levels = [
    'READ COMMITTED',
    'REPEATABLE READ',
    ...(database.kind === 'postgres' ? ['SERIALIZABLE'] : []),
  ] as Level[];
  describe.each(levels)('at %s', (level) => {
    /** PostgreSQL fails where it would have to change what the snapshot hides. */
    const isHidden = level !== 'READ COMMITTED' && database.kind === 'postgres';

    it('deletes a file that the removed owner was given since, or refuses', async () => {
      const shelves = app.dataSource.getRepository(Shelf);
      const { id } = await shelves.save({});
      const file = await app.upload();
      const said = await settled(
        behind(level, give(file, 'shelf', id), async () => shelves.remove(await shelves.findOneByOrFail({ id }))),
      );
      expect([said, await app.ownerOf(file)]).toEqual(
        isHidden ? [expect.stringContaining('Error:'), `shelf ${id}`] : ['done', undefined],
      );
      expect(await shelves.existsBy({ id })).toBe(isHidden);
    });

    it('deletes a file that was created for the removed owner since, or refuses', async () => {
      const shelves = app.dataSource.getRepository(Shelf);
      const { id } = await shelves.save({});
      let file = '';
      const said = await settled(
        behind(
          level,
          async () => (file = await app.fileOf('shelf', id, false)),
          async () => shelves.remove(await shelves.findOneByOrFail({ id })),
        ),
      );
      expect([said, await app.ownerOf(file)]).toEqual(
        isHidden ? [expect.stringContaining('Error:'), `shelf ${id}`] : ['done', undefined],
      );
      expect(await shelves.existsBy({ id })).toBe(isHidden);
    });

    it('refuses to remove an owner that was given a file since, where onDelete restricts', async () => {
      const contracts = app.dataSource.getRepository(Contract);
      await contracts.save({ id: `c ${level}` });
      const file = await app.upload();
      const removal = behind(level, give(file, 'contract', `c ${level}`), async () =>
        contracts.remove(await contracts.findOneByOrFail({ id: `c ${level}` })),
      );
      await expect(removal).rejects.toMatchObject({ code: isHidden ? '40001' : 'FILES_OWNER_HAS_FILES' });
      expect(await contracts.existsBy({ id: `c ${level}` })).toBe(true);
    });

    it('removes an owner after its files', async () => {
      const shelves = app.dataSource.getRepository(Shelf);
      const { id } = await shelves.save({});
      const file = await app.fileOf('shelf', id, false);
      await behind(
        level,
        () => Promise.resolve(),
        async () => {
          await app.files.delete(file);
          await shelves.remove(await shelves.findOneByOrFail({ id }));
        },
      );
      expect(await app.ownerOf(file)).toBeUndefined();
    });

    it('removes the bytes of a file that was moved since', async () => {
      const shelves = app.dataSource.getRepository(Shelf);
      const { id } = await shelves.save({});
      const file = await app.fileOf('shelf', id, false);
      await settled(
        behind(
          level,
          () => app.files.move(file, 'other'),
          async () => shelves.remove(await shelves.findOneByOrFail({ id })),
        ),
      );
      const rows = await app.dataSource.getRepository(ManagedFile).findBy({ storage: 'other' });
      const left = async (): Promise<string[]> => {
        const locations: string[] = [];
        for await (const { location } of app.app.get(StorageRegistry).get('other').list()) locations.push(location);
        return locations.toSorted();
      };
      await expect.poll(left).toEqual(rows.map(({ location }) => location).toSorted());
    });

    it('refuses to copy content that was found infected since', async () => {
      const { id } = await app.files.create(Buffer.from('x'), { name: 'a.txt', owner: null });
      const files = app.dataSource.getRepository(ManagedFile);
      await files.update({ id }, { scan: 'clean', scanner: 'some' });
      const copied = behind(
        level,
        () => Promise.resolve(),
        async () => {
          await files.findOneByOrFail({ id });
          await detach(() => files.update({ id }, { scan: 'infected' }));
          return app.files.copy(id);
        },
      );
      await expect(copied).rejects.toMatchObject({ code: isHidden ? '40001' : 'FILES_FILE_INFECTED' });
    });

    it('gets the file of an upload that was completed since, or refuses', async () => {
      const { id } = await uploads.begin({ name: 'a.txt', size: 4, storage: 'direct', actor: null });
      for (const { url } of await uploads.signParts(id, [1])) expect(direct.send(url, '1234')).toBe(200);
      const completed = behind(
        level,
        () => uploads.complete(id),
        () => uploads.complete(id),
      );
      if (isHidden) await expect(completed).rejects.toMatchObject({ code: '40001' });
      else expect(await completed).toMatchObject({ id, size: 4 });
    });

    it('counts files that came since', async () => {
      const quotas = app.app.get(Quotas);
      const team = { type: 'team', id: level };
      await app.fileOf('team', level, false);
      await settled(
        behind(
          level,
          () => app.fileOf('team', level, false),
          () => quotas.recount(team),
        ),
      );
      expect(await quotas.usage(team)).toEqual({ bytes: 2, count: 2 });
    });
  });
});
