import { Body, Controller, Get, Param, Patch, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional } from 'class-validator';
import { FileField, FilesService, OwnsFiles, TaskQueue, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { listens, reachableDatabases } from '../../support/databases.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

@Entity('page')
@OwnsFiles('page', { onDelete: 'delete' })
class Page {
  @PrimaryGeneratedColumn() id!: number;
  @FileField({ onReplace: 'release' }) @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
}

@Entity('shelf')
@OwnsFiles('shelf', { onDelete: 'delete', idField: 'code' })
class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 36 }) code!: string;
}

class PageDto {
  @IsOptional() @TransferOwnership('page') fileId?: string | null;
}

@Controller('pages')
class PagesController {
  constructor(@InjectRepository(Page) private readonly pages: Repository<Page>) {}

  @Get(':id')
  show(@Param('id') id: number) {
    return this.pages.findOneByOrFail({ id });
  }

  @Post()
  @WithTaskQueue()
  save(@Body() { fileId = null }: PageDto) {
    return this.pages.save({ fileId });
  }

  @Patch(':id')
  @WithTaskQueue()
  update(@Param('id') id: number, @Body() { fileId = null }: PageDto) {
    return this.pages.save({ id: Number(id), fileId });
  }
}

const REDIS = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');
const stores = [
  { store: 'database', cache: { type: 'database' } },
  ...((await listens(REDIS))
    ? [{ store: 'Redis', cache: { type: 'ioredis', options: { host: REDIS.hostname, port: Number(REDIS.port) } } }]
    : []),
];
const cases = (await reachableDatabases('file', 'postgres', 'mariadb')).flatMap((database) =>
  stores.map((one) => ({ database, ...one })),
);

describe.each(cases)('with every query cached in the $store, on $database.name,', ({ database, cache }) => {
  async function start() {
    const { options, drop } = await database.create();
    onTestFinished(drop);
    const app = await startApp({
      database: { ...options, cache: { ...cache, alwaysEnabled: true, duration: 600_000 } } as DataSourceOptions,
      options: { links: { secrets: ['0123456789abcdef0123456789abcdef'] } },
      imports: [TypeOrmModule.forFeature([Page, Shelf])],
      controllers: [PagesController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
    // The keys in Redis are texts of queries, which every database of the tests has.
    await app.dataSource.queryResultCache!.clear();
    const send = async (method: string, path: string, body?: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await app.fetch(path, { user: 'ada', method, headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    /** The same tables through another process' eyes, without a cache. */
    const other = await new DataSource({ ...options, entities: [Page] } as DataSourceOptions).initialize();
    onTestFinished(() => other.destroy());
    return { ...app, send, other };
  }

  it('shows and finds files as they are now', async () => {
    const { app, other, ...rest } = await start();
    const files = app.get(FilesService);
    const { id } = await uploadFile({ app, ...rest }, 'ada', formWith('seen'));
    const seen = async () => {
      const found = await files.search({ filters: { name: 'renamed.txt' } });
      return [(await files.findOrFail(id)).name, found.count, (await files.history(id)).length];
    };
    expect(await seen()).toEqual(['notes.txt', 0, 1]);
    await other.query(`UPDATE files_file SET name = 'renamed.txt'`);
    await other.query(`DELETE FROM files_transfer`);
    expect(await seen()).toEqual(['renamed.txt', 1, 0]);
  });

  it('decides by the rows that it locks', async () => {
    const app = await start();
    const { id: fileId } = await uploadFile(app, 'ada', formWith('taken'));
    const first = await app.send('POST', '/pages', { fileId });
    expect(first.status).toBe(201);
    expect(await app.send('POST', '/pages', { fileId })).toMatchObject({ status: 400 });
    const files = app.app.get(FilesService);
    const pinned = { code: 'FILES_FILE_PINNED' };
    await expect(files.delete(fileId)).rejects.toMatchObject(pinned);
    await app.other.query(`UPDATE files_file SET pinned = ${database.kind === 'postgres' ? 'false' : '0'}`);
    await files.rename(fileId, 'renamed.txt');
    expect(await files.findOrFail(fileId)).toMatchObject({ name: 'renamed.txt', pinned: false });
    const path = `/pages/${String(first.body['id'])}`;
    expect(await app.send('PATCH', path, { fileId: null })).toMatchObject({ status: 200 });
    expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: null });
  });

  it('saves a record by the row that is there, not by the one that was', async () => {
    const app = await start();
    const { id: fileId } = await uploadFile(app, 'ada', formWith('named'));
    const { body } = await app.send('POST', '/pages', { fileId });
    const path = `/pages/${String(body['id'])}`;
    // Twice, so that the row is in the cache.
    for (const _ of [1, 2]) await app.send('PATCH', path, { fileId });
    await app.other.query('UPDATE page SET ' + (database.kind === 'postgres' ? '"fileId"' : '`fileId`') + ' = NULL');
    await app.send('PATCH', path, { fileId });
    expect(await app.other.getRepository(Page).find()).toMatchObject([{ fileId }]);
  });

  it('keeps nothing of a unit that is rolled back', async () => {
    const app = await start();
    const { body } = await app.send('POST', '/pages', {});
    const { id } = await uploadFile(app, 'ada', formWith('kept'));
    await app.send('PATCH', `/pages/${String(body['id'])}`, { fileId: `${id.slice(0, -1)}x` });
    expect(await app.send('GET', `/pages/${String(body['id'])}`)).toMatchObject({ body: { fileId: null } });
  });

  it('sweeps due intents, and uses a one-time link once', async () => {
    const app = await start();
    const [sweeper, links] = [app.app.get(FilesSweeper), app.app.get(FilesLinks)];
    expect(await sweeper.preview()).toEqual([]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 0 });
    const { id } = await uploadFile(app, 'ada', formWith('swept'));
    const { locationKey, location, storage } = await app.app.get(FilesService).findOrFail(id);
    const intent = { id, storage, location, locationKey, kind: 'delete' as const, createdAt: new Date(0) };
    await app.dataSource.getRepository(FileIntent).insert({ ...intent, leaseOwner: null, leaseUntil: null });
    expect(await sweeper.preview()).toMatchObject([{ outcome: 'keep' }]);
    await app.other.query('DELETE FROM files_file');
    expect(await sweeper.preview()).toMatchObject([{ outcome: 'remove' }]);
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1, kept: 0 });
    const { id: linked } = await uploadFile(app, 'ada', formWith('linked'));
    const { token } = await links.oneTime(linked);
    await links.open(token!);
    await expect(links.open(token!)).rejects.toMatchObject({ code: 'FILES_LINK_USED' });
  });

  it('deletes the files of an owner by the row that goes', async () => {
    const app = await start();
    const shelves = app.dataSource.getRepository(Shelf);
    const { id } = await shelves.save({ code: 'a' });
    const { id: fileId } = await uploadFile(app, 'ada', formWith('goes'));
    await app.app.get(FilesService).transferOwnership(fileId, { ownerType: 'shelf', ownerId: 'a' });
    const queue = app.app.get(TaskQueue);
    const remove = () => queue.run(() => app.dataSource.manager.remove(Object.assign(new Shelf(), { id })));
    await app.other.query(`UPDATE shelf SET code = 'b'`);
    const undone = queue.run(async () => {
      await remove();
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    await app.other.query(`UPDATE shelf SET code = 'a'`);
    await remove();
    await expect(app.app.get(FilesService).findOrFail(fileId)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
  });
});
