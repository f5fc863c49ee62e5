import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FilesModule, FilesService, ManagedFile } from '../../../lib/index.js';
import { FileIntent, FILES_ENTITIES, StorageMark } from '../../../lib/entry/entities.js';
import { adoptStorage, FilesSweeper } from '../../../lib/entry/maintenance.js';
import type { FilesModuleOptions } from '../../../lib/index.js';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import type { FsStorageOptions } from '../../../lib/storage/adapters/fs.storage.js';
import { faultyStorage } from '../../../lib/testing/index.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { database as databaseModule, formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

const MARK = '.nestjs-files/mark';
const refused = (reason: string | RegExp) => ({
  code: 'FILES_STORAGE_MARK_MISMATCHED',
  message: expect.stringMatching(reason),
});

/** As when the volume at the root is not mounted: the root is an empty directory. Gives what mounts it again. */
async function unmount(root: string): Promise<() => Promise<void>> {
  const away = `${root}.away`;
  await rename(root, away);
  await mkdir(root);
  return async () => {
    await rm(root, { recursive: true });
    await rename(away, root);
  };
}

const databases = await reachableDatabases('file', 'postgres', 'mariadb');

describe.each(databases)('the mark of a directory, on $name', (kind) => {
  let one: EmptyDatabase;
  let other: EmptyDatabase;
  beforeAll(async () => {
    [one, other] = [await kind.create(), await kind.create()];
  });
  afterAll(async () => {
    await one.drop();
    await other.drop();
  });

  interface Boot {
    database?: DataSourceOptions;
    storage?: Storage;
    fs?: Partial<FsStorageOptions>;
    options?: Partial<FilesModuleOptions>;
  }

  /** An application of one of the databases, until the test is over. */
  async function boot(root: string, { database = one.options, fs, options, ...rest }: Boot = {}) {
    const storage = rest.storage ?? fsStorage({ root, ...fs });
    const module = FilesModule.forRoot({ storages: { default: storage }, sweeper: { grace: 1 }, ...options });
    const testing = await Test.createTestingModule({
      imports: [databaseModule(undefined, database), module],
    }).compile();
    const app = testing.createNestApplication({ logger: false });
    try {
      await app.init();
    } catch (error) {
      await app.close();
      throw error;
    }
    let isOpen = true;
    const close = async () => {
      if (isOpen) await app.close();
      isOpen = false;
    };
    onTestFinished(close);
    return {
      app,
      close,
      files: app.get(FilesService),
      sweeper: app.get(FilesSweeper),
      dataSource: app.get(DataSource),
    };
  }

  /** A root that is the first database's, and has a file. */
  async function used() {
    await forget();
    const root = newDirectory();
    const { files, close } = await boot(root);
    const file = await files.create(Buffer.from('kept'), { name: 'kept.txt', owner: null });
    await close();
    return { root, file };
  }

  /** Empties both databases. */
  async function forget(): Promise<void> {
    for (const { options } of [one, other])
      await through(options, async (source) => {
        for (const entity of FILES_ENTITIES) await source.getRepository(entity as never).clear();
      });
  }

  async function through<T>(options: DataSourceOptions, work: (source: DataSource) => Promise<T>): Promise<T> {
    const source = await new DataSource({
      ...options,
      entities: [...FILES_ENTITIES],
      synchronize: true,
    } as DataSourceOptions).initialize();
    try {
      return await work(source);
    } finally {
      await source.destroy();
    }
  }

  /** Makes the second database a copy of the first. */
  async function clone(): Promise<void> {
    const rows = await through(one.options, (source) =>
      Promise.all(FILES_ENTITIES.map((entity) => source.getRepository(entity as never).find())),
    );
    await through(other.options, async (source) => {
      for (const [at, entity] of FILES_ENTITIES.entries())
        if (rows[at]!.length > 0) await source.getRepository(entity as never).insert(rows[at] as never);
    });
  }

  it('is written at the first boot, known to the database, and stays the same', async () => {
    const { root } = await used();
    const mark = await readFile(join(root, MARK), 'utf8');
    const { dataSource, close } = await boot(root);
    expect(await dataSource.getRepository(StorageMark).find()).toMatchObject([
      { storage: 'default', mark: (JSON.parse(mark) as { id: string }).id },
    ]);
    await close();
    expect(await readFile(join(root, MARK), 'utf8')).toBe(mark);
    expect(((await stat(join(root, MARK))).mode & 0o777).toString(8)).toBe('600');
  });

  it('is written into a directory that has files from before, where the database knows no mark', async () => {
    const { root, file } = await used();
    await rm(join(root, MARK));
    await through(one.options, (source) => source.getRepository(StorageMark).clear());
    const { files, close } = await boot(root);
    expect((await files.stream(file.id)).destroy()).toBeDefined();
    await close();
    expect(await filesBelow(root)).toEqual([file.location]);
  });

  it('refuses a directory that has no file of the database', async () => {
    const { root } = await used();
    await through(one.options, (source) => source.getRepository(StorageMark).clear());
    const mount = await unmount(root);
    await expect(boot(root)).rejects.toMatchObject(refused(/none of the files is there .* Is it mounted\?/));
    expect(await filesBelow(root)).toEqual([]);
    await mount();
    await boot(root);
  });

  it('refuses to boot where it is missing, names the place and the remedy, and leaves the place alone', async () => {
    const { root, file } = await used();
    const mount = await unmount(root);
    await expect(boot(root)).rejects.toMatchObject({
      ...refused(/it has no mark.*Is it mounted.*adoptStorage\(dataSource, 'default', storage\)/),
      storage: 'default',
      place: root,
    });
    expect(await filesBelow(root)).toEqual([]);
    await rm(root, { recursive: true });
    await expect(boot(root)).rejects.toMatchObject(refused('it has no mark'));
    await expect(stat(root)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(root);
    await mount();
    const { files } = await boot(root);
    expect((await (await files.stream(file.id)).toArray()).join('')).toBe('kept');
  });

  it('refuses a directory with files whose mark is missing', async () => {
    const { root } = await used();
    await rm(join(root, MARK));
    await expect(boot(root)).rejects.toMatchObject(refused('it has no mark'));
    await writeFile(join(root, MARK), 'junk');
    await expect(boot(root)).rejects.toMatchObject(refused('its mark cannot be read'));
  });

  it('refuses the directory of another storage', async () => {
    const [first, second] = [newDirectory(), newDirectory()];
    await forget();
    const storages = (a: string, b: string) => ({ default: fsStorage({ root: a }), images: fsStorage({ root: b }) });
    await (await boot(first, { options: { storages: storages(first, second) } })).close();
    const swapped = { options: { storages: storages(second, first) } };
    await expect(boot(first, swapped)).rejects.toMatchObject(refused('it is marked as .*, and the database knows'));
  });

  it('lets two storages of a database share a directory', async () => {
    const root = newDirectory();
    await forget();
    const storages = { default: fsStorage({ root }), images: fsStorage({ root }) };
    const { files } = await boot(root, { options: { storages } });
    for (const storage of Object.keys(storages)) await files.create(Buffer.from('x'), { name: 'x', storage });
    expect(await filesBelow(root)).toHaveLength(2);
  });

  it('refuses a copy of the database on the same directory, so that nothing of it is swept', async () => {
    const { root, file } = await used();
    const storage = faultyStorage(fsStorage({ root }));
    const production = await boot(root, { storage });
    const deleted = await production.files.create(Buffer.from('x'), { name: 'deleted', owner: null });
    storage.failAt(1, 'before');
    await production.files.delete(deleted.id);
    await production.app.get(ByteRemovals).idle();
    // In the copy, a file that production still has is to be removed.
    await clone();
    await through(other.options, async (source) => {
      await source.getRepository(FileIntent).updateAll({ location: file.location, locationKey: 'x' });
      await source.getRepository(ManagedFile).clear();
    });
    const staging = { database: other.options };
    await expect(boot(root, staging)).rejects.toMatchObject(
      refused(/that of another database .*If this database is a copy/),
    );
    expect(await filesBelow(root)).toHaveLength(2);
    expect(await production.sweeper.sweep()).toMatchObject({ finished: 1, failed: 0 });
    expect(await filesBelow(root)).toEqual([file.location]);
  });

  it('refuses an empty database on the directory of another, too', async () => {
    const { root } = await used();
    await expect(boot(root, { database: other.options })).rejects.toMatchObject(refused('that of another database'));
  });

  it('is taken over by adoptStorage(): the database that had it is refused from then on, in processes that run', async () => {
    const { root, file } = await used();
    const before = await boot(root);
    await clone();
    await through(other.options, (source) => adoptStorage(source, 'default', fsStorage({ root })));
    const after = await boot(root, { database: other.options });
    expect((await (await after.files.stream(file.id)).toArray()).join('')).toBe('kept');
    await expect(before.files.create(Buffer.from('x'), { name: 'x' })).rejects.toMatchObject(
      refused('its mark has changed'),
    );
    await expect(before.files.delete(file.id)).rejects.toMatchObject(refused('its mark has changed'));
    await before.close();
    await expect(boot(root)).rejects.toMatchObject(refused('that of another database'));
  });

  it('goes by `installation` where that is named', async () => {
    const root = newDirectory();
    await forget();
    await (await boot(root, { options: { installation: 'production' } })).close();
    await clone();
    const moved = { database: other.options, options: { installation: 'production' } };
    await (await boot(root, moved)).close();
    const copy = boot(root, { options: { installation: 'staging' } });
    await expect(copy).rejects.toMatchObject(refused('installation production.*, and this is installation staging'));
    await through(one.options, (source) =>
      adoptStorage(source, 'default', fsStorage({ root }), { installation: 'staging' }),
    );
    await boot(root, { options: { installation: 'staging' } });
  });

  it('is one for all processes that boot at once', async () => {
    await forget();
    const root = newDirectory();
    const apps = await Promise.all(Array.from({ length: 6 }, () => boot(root)));
    for (const { files } of apps) await files.create(Buffer.from('x'), { name: 'x', owner: null });
    expect(await apps[0]!.dataSource.getRepository(StorageMark).count()).toBe(1);
    expect(await filesBelow(root)).toHaveLength(6);
  });

  it('is not written again after a boot that ended between the mark and the row', async () => {
    const { root } = await used();
    const mark = await readFile(join(root, MARK), 'utf8');
    await through(one.options, (source) => source.getRepository(StorageMark).clear());
    await boot(root);
    expect(await readFile(join(root, MARK), 'utf8')).toBe(mark);
  });

  it('is not asked for where a storage neither creates nor removes', async () => {
    const { root } = await used();
    const readOnly = { disable: ['write', 'remove'] } as const;
    const { files } = await boot(root, { database: other.options, fs: readOnly });
    expect((await files.search()).count).toBe(0);
    const mount = await unmount(root);
    await boot(root, { fs: readOnly });
    expect(await filesBelow(root)).toEqual([]);
    await mount();
  });

  it('stops the boot where it cannot be written, and names the way to do without one', async () => {
    await forget();
    const root = join(newDirectory(), 'root');
    // A file where a directory has to be: as little can be written as on a read-only mount, also as root.
    await mkdir(root);
    await writeFile(join(root, dirname(MARK)), '');
    await expect(boot(root)).rejects.toMatchObject(refused(/none can be written: .*disable: \['write', 'remove'\]/));
  });

  describe.each(PLATFORMS)('while a process runs, on %s', (platform) => {
    async function running() {
      await forget();
      const root = newDirectory();
      const storage = faultyStorage(fsStorage({ root }));
      const options = { storages: { default: storage }, sweeper: { grace: 1 } };
      const app = await startApp({ platform, database: one.options, options });
      return { ...app, root, storage, sweeper: app.app.get(FilesSweeper) };
    }

    it('refuses writes, removals and sweeps while nothing is mounted, and goes on when it is', async () => {
      const app = await running();
      const [{ id }, swept] = [
        await uploadFile(app, 'ada', formWith('old')),
        await uploadFile(app, 'ada', formWith('x')),
      ];
      app.storage.failAt(1, 'before');
      expect((await app.fetch(`/files/${swept.id}`, { method: 'DELETE', user: 'ada' })).status).toBe(204);
      await app.app.get(ByteRemovals).idle();
      const mount = await unmount(app.root);

      const answers = [
        await app.fetch('/files', { method: 'POST', user: 'ada', body: formWith('new') }),
        await app.fetch(`/files/${id}`, { method: 'DELETE', user: 'ada' }),
        await app.fetch(`/files/${id}/content`, { user: 'ada' }),
        await app.fetch(`/files/${id}/content`, {
          method: 'PUT',
          user: 'ada',
          body: 'new',
          headers: { 'content-type': 'application/octet-stream' },
        }),
      ];
      for (const answer of answers)
        expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'FILES_STORAGE_MARK_MISMATCHED' }]);
      expect(await app.sweeper.sweep()).toMatchObject({ finished: 0, bytesRemoved: 0 });
      expect(await filesBelow(app.root)).toEqual([]);

      await mount();
      const content = await app.fetch(`/files/${id}/content`, { user: 'ada' });
      expect([content.status, await content.text()]).toEqual([200, 'old']);
      expect((await app.fetch(`/files/${id}`, { method: 'DELETE', user: 'ada' })).status).toBe(204);
      await app.dataSource.getRepository(FileIntent).updateAll({ leaseUntil: new Date(0), createdAt: new Date(0) });
      expect(await app.sweeper.sweep()).toMatchObject({ failed: 0 });
      expect([await filesBelow(app.root), await app.dataSource.getRepository(FileIntent).count()]).toEqual([[], 0]);
    });

    it('takes no statement more for an upload', async () => {
      const app = await running();
      const statements: string[] = [];
      const logQuery = (sql: string) => void statements.push(sql);
      const quiet = () => undefined;
      const logger = {
        logQuery,
        logQueryError: quiet,
        logQuerySlow: quiet,
        logSchemaBuild: quiet,
        logMigration: quiet,
        log: quiet,
      };
      Object.assign(app.dataSource, { logger });
      await uploadFile(app, 'ada', formWith('new'));
      expect(statements.filter((sql) => sql.includes('files_storage'))).toEqual([]);
    });
  });
});
