import { Readable } from 'node:stream';
import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule, FilesService, OwnsFiles, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { byHeader, formWith, startApp, uploadFile } from '../../support/http-app.js';

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

const [mariadb] = (await reachableDatabases('mariadb')).filter(({ kind }) => kind === 'mariadb');

it.skipIf(!mariadb)('locks owners and intents with the type mysql on a MariaDB server', async () => {
  const { options, drop } = await mariadb!.create();
  onTestFinished(drop);
  const database = { ...options, type: 'mysql', synchronize: false } as DataSourceOptions;
  const entities = [...FILES_ENTITIES, Page];
  const tables = await new DataSource({ ...database, entities, synchronize: true } as DataSourceOptions).initialize();
  await tables.destroy();
  const storage = memoryStorage();
  const app = await startApp({
    database,
    module: FilesModule.forRoot({ storages: { default: storage }, actor: byHeader, uploads: 'authenticated' }),
    imports: [TypeOrmModule.forFeature([Page])],
    controllers: [PagesController],
    prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
  });
  const { id: fileId } = await uploadFile(app, 'ada', formWith('owned'));
  const headers = { 'content-type': 'application/json' };
  const saved = await app.fetch('/pages', { user: 'ada', method: 'POST', headers, body: JSON.stringify({ fileId }) });
  expect(saved.status).toBe(201);
  const files = app.app.get(FilesService);
  expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: 'page', pinned: true });
  await storage.write('found.txt', Readable.from(['found']));
  expect(await files.register('found.txt')).toMatchObject({ size: 5 });
  await app.dataSource.manager.remove(await app.dataSource.manager.findOneByOrFail(Page, {}));
  expect(await files.findMany([fileId])).toEqual([]);
});
