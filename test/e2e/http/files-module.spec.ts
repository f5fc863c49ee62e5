import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesAccess, FilesModule, FilesService, ManagedFile, OwnerPolicy, TaskQueue } from '../../../lib/index.js';
import { FILES_ENTITIES } from '../../../lib/entry/entities.js';
import { InjectStorage, StorageRegistry } from '../../../lib/entry/storage.js';
import type { FileOwnerPolicy, FilesModuleOptions } from '../../../lib/index.js';
import type { Storage } from '../../../lib/entry/storage.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { byHeader, database, formWith, startApp, uploadFile } from '../../support/http-app.js';

const sqlite = { type: 'better-sqlite3', database: ':memory:', synchronize: true } as const;
const options = (): FilesModuleOptions => ({ storages: { default: memoryStorage() } });
const boot = async (...imports: Parameters<typeof Test.createTestingModule>[0]['imports'] & object[]) => {
  const module = await Test.createTestingModule({ imports }).compile();
  // On Nest 11 the end fails with what the boot failed with.
  onTestFinished(() => module.close().catch(() => undefined));
  return module.init();
};

describe('FilesModule.forRoot', () => {
  it('takes the current user of the request by default', async () => {
    const app = await startApp({
      module: FilesModule.forRoot({ storages: { default: memoryStorage() }, uploads: 'authenticated' }),
      prepare: (nest) =>
        void nest.use((request: { user?: object }, _: unknown, next: () => void) => {
          request.user = { id: 42 };
          next();
        }),
    });
    expect(await uploadFile(app, 'ignored', formWith('hello'))).toMatchObject({ ownerType: 'user', ownerId: '42' });
  });

  it('moves the controller, or leaves it out', async () => {
    const moved = await startApp({ options: { http: { path: 'api/documents' } } });
    expect((await moved.fetch('/api/documents', { method: 'POST', user: 'anna', body: formWith('x') })).status).toBe(
      201,
    );
    expect((await moved.fetch('/files', { method: 'POST', user: 'anna', body: formWith('x') })).status).toBe(404);
    for (const platform of ['express', 'fastify'] as const) {
      const none = await startApp({ platform, options: { http: false } });
      const answer = await none.fetch('/files/0193b3a0-0000-7000-8000-000000000000', { user: 'admin' });
      expect(await answer.json()).toEqual({
        statusCode: 404,
        message: expect.stringContaining('Cannot GET'),
        error: 'Not Found',
      });
    }
  });

  it('is global, and gives storages by their names', async () => {
    @Injectable()
    class Consumer {
      constructor(
        readonly files: FilesService,
        readonly queue: TaskQueue,
        readonly access: FilesAccess,
        readonly storages: StorageRegistry,
        @InjectStorage('images') readonly images: Storage,
        @InjectStorage() readonly byDefault: Storage,
      ) {}
    }
    @Module({ providers: [Consumer] })
    class Feature {}
    const storages = { default: memoryStorage(), images: memoryStorage() };
    const consumer = (await boot(database(), FilesModule.forRoot({ storages }), Feature)).get(Consumer, {
      strict: false,
    });
    expect(consumer.images).toBe(storages.images);
    expect(consumer.byDefault).toBe(storages.default);
    expect(await consumer.queue.run(() => consumer.files.create(Buffer.from('x'), { name: 'x' }))).toMatchObject({
      size: 1,
    });
  });

  it('stops the boot over options that cannot be honoured', async () => {
    await expect(boot(database(), FilesModule.forRoot({ storages: {} }))).rejects.toThrow(
      'FilesModule option "storages"',
    );
    const cascading = FilesModule.forRoot({ ...options(), cascade: { package: true } });
    await expect(boot(database(), cascading)).rejects.toThrow('FilesModule option "cascade": "package" has no policy');
  });

  it('finds the policies of other modules', async () => {
    @OwnerPolicy('package')
    class Packages implements FileOwnerPolicy {
      allows(): boolean {
        return true;
      }
    }
    @Module({ providers: [Packages] })
    class Feature {}
    const app = await boot(database(), FilesModule.forRoot({ ...options(), cascade: { package: true } }), Feature);
    expect(await app.get(FilesAccess).canOwner(null, 'read', { type: 'package', id: '1' })).toBe(true);
  });

  it('stops the boot when it is imported twice', async () => {
    @Module({ imports: [FilesModule.forRoot({ storages: { other: memoryStorage() }, defaultStorage: 'other' })] })
    class Feature {}
    await expect(boot(database(), FilesModule.forRoot(options()), Feature)).rejects.toThrow(
      'the module is imported twice',
    );
  });

  it('works with entities that are listed by hand, and says which are missing', async () => {
    const listed = TypeOrmModule.forRoot({ ...sqlite, entities: [...FILES_ENTITIES] });
    const files = (await boot(listed, FilesModule.forRoot(options()))).get(FilesService);
    expect(await files.create(Buffer.from('x'), { name: 'x' })).toMatchObject({ size: 1 });
    const lacking = TypeOrmModule.forRoot({ ...sqlite, entities: [ManagedFile] });
    const names = FILES_ENTITIES.filter((entity) => entity !== ManagedFile).map(({ name }) => name);
    await expect(boot(lacking, FilesModule.forRoot(options()))).rejects.toThrow(
      `Data source "default" lacks the entities ${names.join(', ')}. Set \`autoLoadEntities: true\``,
    );
  });

  it('takes a second data source, and leaves the first one alone', async () => {
    const first = TypeOrmModule.forRoot({ ...sqlite, entities: [] });
    const app = await boot(first, database('second'), FilesModule.forRoot({ ...options(), dataSource: 'second' }));
    await app.get(FilesService).create(Buffer.from('x'), { name: 'x' });
    const second = app.get<DataSource>(getDataSourceToken('second'));
    expect(await second.getRepository(ManagedFile).count()).toBe(1);
    expect(app.get(DataSource).hasMetadata(ManagedFile)).toBe(false);
  });

  it('keeps two applications of one process apart', async () => {
    const [one, two] = await Promise.all([
      startApp(),
      startApp({ platform: 'fastify', options: { http: { path: 'two' } } }),
    ]);
    const { id } = await uploadFile(one, 'anna', formWith('hello'));
    expect((await one.fetch(`/files/${id}`, { user: 'anna' })).status).toBe(200);
    expect((await two.fetch(`/two/${id}`, { user: 'admin' })).status).toBe(404);
    expect((await two.fetch('/two', { method: 'POST', user: 'ben', body: formWith('x') })).status).toBe(201);
    await one.app.close();
    expect((await two.fetch('/two', { method: 'POST', user: 'ben', body: formWith('x') })).status).toBe(201);
    expect([one.stored, two.stored].length).toBe(2);
    expect(await two.stored()).toHaveLength(2);
  });

  it('gives the data source back as it was', async () => {
    const source = await new DataSource({ ...sqlite, entities: [...FILES_ENTITIES] }).initialize();
    const before = source.createQueryRunner;
    const shared = TypeOrmModule.forRootAsync({ useFactory: () => sqlite, dataSourceFactory: async () => source });
    const module = await Test.createTestingModule({ imports: [shared, FilesModule.forRoot(options())] }).compile();
    await module.init();
    expect(source.createQueryRunner).not.toBe(before);
    await module.close();
    expect(source.createQueryRunner).toBe(before);
  });
});

describe('FilesModule.forRootAsync', () => {
  @Injectable()
  class Config {
    readonly root = newDirectory();
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  it('takes its options from a factory, and those that shape the module from beside it', async () => {
    const app = await startApp({
      module: FilesModule.forRootAsync({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async ({ root }: Config) => ({
          storages: { default: fsStorage({ root }) },
          actor: byHeader,
          uploads: 'authenticated' as const,
        }),
        http: { path: 'documents' },
        storageNames: ['default'],
      }),
    });
    const response = await app.fetch('/documents', { method: 'POST', user: 'anna', body: formWith('hello') });
    expect(response.status).toBe(201);
  });

  it('stops the boot over options that come too late, and over missing storages', async () => {
    const late = FilesModule.forRootAsync({ useFactory: () => ({ ...options(), http: false }) });
    await expect(boot(database(), late)).rejects.toThrow(
      'FilesModule option "http": the factory of forRootAsync() gave it too late',
    );
    const unknown = FilesModule.forRootAsync({ useFactory: options, storageNames: ['images'] });
    await expect(boot(database(), unknown)).rejects.toThrow('Storage "images" is not configured');
  });
});
