import {
  Body,
  Controller,
  Delete,
  Injectable,
  Param,
  Patch,
  Post,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional } from 'class-validator';
import {
  FileField,
  FilesModule,
  FilesService,
  OwnsFiles,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import { databaseStorage } from 'nestjs-files/storage/database';
import { memoryStorage } from 'nestjs-files/storage/memory';
import pg from 'pg';
import { map } from 'rxjs';
import { Column, Entity, ManyToOne, OneToMany, PrimaryColumn, Repository } from 'typeorm';
import type { DataSourceOptions, Relation } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { byHeader, formWith, startApp, uploadFile } from '../../support/http-app.js';

const bigint = { to: (id: bigint) => String(id), from: (id: string | number) => BigInt(id) };

/** Twice: its ids are bigint by a transformer, and by the driver. */
function entities(name: string, transformer?: typeof bigint) {
  @Entity(`${name}_page`)
  @OwnsFiles(`${name}_page`, { onDelete: 'delete' })
  class Page {
    @PrimaryColumn('bigint', { ...(transformer && { transformer }) }) id!: bigint;
    @FileField({ onReplace: 'release' }) @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
  }

  @Entity(`${name}_note`)
  @OwnsFiles(`${name}_note`, { onDelete: 'restrict', idField: 'code' })
  class Note {
    @PrimaryColumn('bigint', { ...(transformer && { transformer }) }) id!: bigint;
    @Column('bigint', { ...(transformer && { transformer }) }) code!: bigint;
    @ManyToOne(() => Shelf, (shelf) => shelf.notes, { orphanedRowAction: 'delete' }) shelf!: Relation<Shelf>;
  }

  @Entity(`${name}_shelf`)
  class Shelf {
    @PrimaryColumn('varchar', { length: 36 }) id!: string;
    @OneToMany(() => Note, (note) => note.shelf, { cascade: true }) notes!: Relation<Note>[];
  }

  class PageDto {
    @IsOptional() @TransferOwnership(`${name}_page`) fileId?: string | null;
  }

  class FormDto {
    @UploadAs(`${name}_page`) fileId!: string;
  }

  // JSON has no bigint, whoever answers with one.
  @Injectable()
  class Texts implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler) {
      return next.handle().pipe(map((page: Page) => ({ ...page, id: String(page.id) })));
    }
  }

  // SQLite's driver gives a transformer numbers that may have lost their last digits.
  let last = transformer ? 1n : 9_007_199_254_740_993n;

  @Controller('pages')
  @UseInterceptors(Texts)
  class PagesController {
    constructor(@InjectRepository(Page) private readonly pages: Repository<Page>) {}

    @Post() @WithTaskQueue() async save(@Body() { fileId = null }: PageDto) {
      return this.pages.save(this.pages.create({ id: last++, fileId }));
    }

    @Post('form') @WithTaskQueue() async form(@Body() { fileId }: FormDto) {
      return this.pages.save(this.pages.create({ id: last++, fileId }));
    }

    @Patch(':id') @WithTaskQueue() async update(@Param('id') id: string, @Body() { fileId = null }: PageDto) {
      return this.pages.save(this.pages.create({ id: BigInt(id), fileId }));
    }

    @Delete(':id') @WithTaskQueue() async remove(@Param('id') id: string) {
      const page = await this.pages.findOneByOrFail({ id: BigInt(id) });
      return { ...(await this.pages.remove(page)), id };
    }
  }

  return { Page, Note, Shelf, PagesController, type: `${name}_page`, noteType: `${name}_note` };
}

const BY_DRIVER: Record<string, object> = {
  file: {
    prepareDatabase: (connection: { defaultSafeIntegers(on: boolean): void }) => connection.defaultSafeIntegers(true),
  },
  postgres: {
    extra: {
      types: {
        getTypeParser: (oid: number, format?: 'text') =>
          oid === 20 ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format),
      },
    },
  },
};

const cases = (await reachableDatabases('file', 'postgres', 'mariadb')).flatMap((database) => {
  const byTransformer = { database, by: 'a transformer', made: entities(`t_${database.kind}`, bigint), extra: {} };
  const extra = BY_DRIVER[database.kind];
  return extra
    ? [byTransformer, { database, by: 'the driver', made: entities(`d_${database.kind}`), extra }]
    : [byTransformer];
});

describe.each(cases)('ids that are bigint by $by, on $database.name,', ({ database, by, made, extra }) => {
  const { Page, Note, Shelf, PagesController, type, noteType } = made;

  async function start() {
    const { options, drop } = await database.create();
    onTestFinished(drop);
    const app = await startApp({
      database: { ...options, ...extra } as DataSourceOptions,
      module: FilesModule.forRoot({
        storages: { default: memoryStorage(), rows: databaseStorage() },
        actor: byHeader,
        uploads: 'authenticated',
        quotas: { [type]: { bytes: '1MiB' } },
        links: { secrets: ['0123456789abcdef0123456789abcdef'] },
      }),
      imports: [TypeOrmModule.forFeature([Page, Note, Shelf])],
      controllers: [PagesController],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
    const send = async (method: string, path: string, body?: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await app.fetch(path, {
        user: 'ada',
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as { id: string } };
    };
    return { ...app, send, files: app.app.get(FilesService) };
  }

  it('own files, let them go, and take them along when they change', async () => {
    const app = await start();
    const { files, send } = app;
    const { id: fileId } = await uploadFile(app, 'ada', formWith('owned'));
    const { status, body } = await send('POST', '/pages', { fileId });
    expect(status).toBe(201);
    expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: type, ownerId: body.id, pinned: true, size: 5 });
    expect(await app.app.get(Quotas).usage({ type, id: body.id })).toEqual({ bytes: 5, count: 1 });
    expect((await send('PATCH', `/pages/${body.id}`, { fileId: null })).status).toBe(200);
    expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: null });
    const uploaded = await app.fetch('/pages/form', { user: 'ada', method: 'POST', body: form() });
    const made = (await uploaded.json()) as { id: string; fileId: string };
    expect([uploaded.status, (await files.findOrFail(made.fileId)).ownerId]).toEqual([201, made.id]);
    expect((await send('DELETE', `/pages/${made.id}`)).status).toBe(200);
    expect(await files.findMany([made.fileId])).toEqual([]);
  });

  it('keep the owners of files, also where only their key is known', async () => {
    const { files, dataSource } = await start();
    const shelves = dataSource.getRepository(Shelf);
    await shelves.save(shelves.create({ id: 'a', notes: [{ id: 1n, code: 7n }] }));
    const { id } = await files.create(Buffer.from('x'), { name: 'x', owner: null });
    await files.transferOwnership(id, { ownerType: noteType, ownerId: '7' });
    const orphaned = shelves.save(shelves.create({ id: 'a', notes: [] }));
    await expect(orphaned).rejects.toMatchObject({ code: 'FILES_OWNER_HAS_FILES' });
    if (by === 'a transformer') return;
    const missing = { ownerType: type, ownerId: '12345678901234567' };
    await expect(files.transferOwnership(id, missing)).rejects.toMatchObject({ code: 'FILES_OWNER_NOT_FOUND' });
  });

  it('keep the owners of files in upserts', async () => {
    const { files, dataSource } = await start();
    const pages = dataSource.getRepository(Page);
    const fileOf = async (id: string) => {
      const { id: fileId } = await files.create(Buffer.from('x'), { name: 'x', owner: { type, id } });
      await files.pin(fileId);
      return fileId;
    };
    await pages.insert({ id: 21n });
    const [fileId, other] = [await fileOf('21'), await fileOf('21')];
    await pages.upsert({ id: 21n, fileId }, ['id']);
    await pages.upsert(
      [
        { id: 21n, fileId: other },
        { id: 22n, fileId: null },
      ],
      ['id'],
    );
    expect(await files.findOrFail(fileId)).toMatchObject({ ownerType: null });
    expect(await files.findOrFail(other)).toMatchObject({ ownerType: type, ownerId: '21', pinned: true });
    await expect(pages.upsert({ id: 23n, fileId: other }, ['id'])).rejects.toMatchObject({ code: 'FILES_NOT_OWN' });
  });

  it('leave the numbers of files numbers', async () => {
    const { app, files } = await start();
    const file = await files.create(Buffer.from('row'), { name: 'row.txt', storage: 'rows', owner: null });
    const shown = await files.findOrFail(file.id);
    expect([shown.size, shown.createdAt, shown.pinned]).toEqual([3, file.createdAt, false]);
    expect((await (await files.stream(file.id, { start: 1, end: 2 })).toArray()).join('')).toBe('ow');
    expect((await files.search({ filters: { size: { $gte: 3 } } })).count).toBe(1);
    expect((await files.history(file.id)).map(({ at }) => at instanceof Date)).toEqual([true]);
    const { token } = await app.get(FilesLinks).oneTime(file.id);
    await app.get(FilesLinks).open(token!);
    await expect(app.get(FilesLinks).open(token!)).rejects.toMatchObject({ code: 'FILES_LINK_USED' });
    await files.delete(file.id);
    expect(await app.get(FilesSweeper).sweep()).toMatchObject({ examined: 0, failed: 0 });
  });
});

function form(): FormData {
  const made = new FormData();
  made.append('fileId', new Blob(['formed']), 'formed.txt');
  return made;
}
