import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule, FilesService, OwnsFiles, TaskQueue, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import { databaseStorage } from 'nestjs-files/storage/database';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { FaultyStorage } from 'nestjs-files/testing';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { byHeader, formWith, startApp, uploadFile } from '../../support/http-app.js';
import { reachableDatabases } from '../../support/databases.js';

@Entity('page')
@OwnsFiles('page', { onDelete: 'delete' })
class Page {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 36 }) fileId!: string;
}

class PageDto {
  @TransferOwnership('page') fileId!: string;
}

@Controller('pages')
class PagesController {
  constructor(@InjectRepository(Page) private readonly pages: Repository<Page>) {}

  @Post()
  @WithTaskQueue()
  save(@Body() { fileId }: PageDto) {
    return this.pages.save({ fileId });
  }
}

describe.each(await reachableDatabases('postgres', 'mariadb'))('replication on $name', (database) => {
  /** An application whose slave never hears of anything: no lag is longer. */
  async function start() {
    const [master, slave] = [await database.create(), await database.create()];
    onTestFinished(master.drop);
    const entities = [...FILES_ENTITIES, Page];
    const stale = await new DataSource({
      ...slave.options,
      entities,
      synchronize: true,
    } as DataSourceOptions).initialize();
    const dropSlave = async () => {
      if (!stale.isInitialized) return;
      await stale.destroy();
      await slave.drop();
    };
    onTestFinished(dropSlave);
    const { type, ...login } = master.options as { type: 'postgres' };
    const replication = { master: login, slaves: [slave.options] };
    const storage = new FaultyStorage(memoryStorage());
    const module = FilesModule.forRoot({
      storages: { default: storage, rows: databaseStorage() },
      actor: byHeader,
      uploads: 'authenticated',
      quotas: { user: { bytes: '1MiB' } },
      links: { secrets: ['0123456789abcdef0123456789abcdef'] },
      isManager: (actor) => actor?.id === 'admin',
    });
    const app = await startApp({
      database: { type, replication, poolSize: 10 } as DataSourceOptions,
      module,
      imports: [TypeOrmModule.forFeature([Page])],
      controllers: [PagesController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
    return { app, stale, dropSlave, storage, files: app.app.get(FilesService), sweeper: app.app.get(FilesSweeper) };
  }

  it('shows the caller its own writes', async () => {
    const { app, files } = await start();
    const { id: fileId } = await uploadFile(app, 'ada', formWith('written'));
    const read = async (path: string, user = 'ada') => {
      const response = await app.fetch(path, { user });
      return [response.status, await response.text()] as const;
    };
    expect((await read(`/files/${fileId}`))[0]).toBe(200);
    expect(await read(`/files/${fileId}/content`)).toEqual([200, 'written']);
    expect(await files.search({ filters: { name: 'notes.txt' } })).toMatchObject({
      count: 1,
      results: [{ id: fileId }],
    });
    expect(await files.scan({ ownerType: 'user', ownerId: 'ada' })).toMatchObject({ count: 1 });
    expect(await files.findMany([fileId])).toHaveLength(1);
    expect(await files.history(fileId)).toHaveLength(1);
    expect(await app.app.get(Quotas).usage({ type: 'user', id: 'ada' })).toEqual({ bytes: 7, count: 1 });
    const { token } = await app.app.get(FilesLinks).oneTime(fileId);
    expect((await app.app.get(FilesLinks).open(token!)).file.id).toBe(fileId);
    const kept = await files.create(Buffer.from('row'), { name: 'row.txt', storage: 'rows' });
    expect((await (await files.stream(kept)).toArray()).join('')).toBe('row');
    const headers = { 'content-type': 'application/json' };
    const saved = await app.fetch('/pages', { user: 'ada', method: 'POST', headers, body: JSON.stringify({ fileId }) });
    expect(saved.status).toBe(201);
    expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: 'page' });
  });

  it('makes the sweeper ask the master whether a row refers to bytes', async () => {
    const { app, stale, storage, files, sweeper } = await start();
    const { id } = await uploadFile(app, 'ada', formWith('deleted'));
    const file = await files.findOrFail(id);
    await stale.getRepository(ManagedFile).insert({ ...file } as object);
    storage.failAt(1, 'before');
    await files.delete(id);
    expect(await sweeper.preview()).toMatchObject([{ outcome: 'remove' }]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1, kept: 0 });
    expect(await storage.exists(file.location)).toBe(false);
  });

  it('creates a file in a unit while no slave answers', async () => {
    const { app, dropSlave, files } = await start();
    await dropSlave();
    const made = await app.app.get(TaskQueue).run(() => files.create(Buffer.from('made'), { name: 'made.txt' }));
    expect(await files.findOrFail(made.id)).toMatchObject({ size: 4 });
  });
});
