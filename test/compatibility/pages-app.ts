import { Body, Controller, Delete, Injectable, Param, Patch, Post, ValidationPipe } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsBoolean, IsOptional, IsString, ValidateNested } from 'class-validator';
import { FileField, FilesModule, OwnsFiles, TaskQueue, TransferOwnership, UploadAs, WithTaskQueue } from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { databaseStorage } from 'nestjs-files/storage/database';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { FaultyStorage } from 'nestjs-files/testing';
import { Column, DataSource, Entity, Generated, ManyToOne, OneToMany, PrimaryColumn, Repository } from 'typeorm';
import type { DataSourceOptions, Relation } from 'typeorm';
import { byHeader } from '../support/http-app.js';
import type { Platform } from '../support/http-app.js';

@Entity('page')
@OwnsFiles('page', { onDelete: 'delete' })
export class Page {
  @PrimaryColumn('uuid') @Generated('uuid') id!: string;
  @Column('varchar', { length: 100 }) title!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
  @OneToMany(() => Part, (part) => part.page, { cascade: true }) parts!: Relation<Part>[];
}

@Entity('part')
@OwnsFiles('part')
export class Part {
  @PrimaryColumn('uuid') @Generated('uuid') id!: string;
  @FileField() @Column('uuid') fileId!: string;
  @ManyToOne(() => Page, (page) => page.parts, { orphanedRowAction: 'delete' }) page!: Relation<Page>;
}

@Entity('shelf')
@OwnsFiles('shelf', { onDelete: 'restrict' })
export class Shelf {
  @PrimaryColumn('uuid') @Generated('uuid') id!: string;
}

/** The tables of the application, and those of the library. */
export const PAGES_ENTITIES = [...FILES_ENTITIES, Page, Part, Shelf];

class PartDto {
  @TransferOwnership('part') fileId!: string;
}

class PageDto {
  @IsOptional() @IsString() title?: string;
  @IsOptional() @IsBoolean() isFailing?: boolean;
  @IsOptional() @TransferOwnership('page') attachmentId?: string | null;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => PartDto) parts?: PartDto[];
}

class FormDto {
  @IsString() title!: string;
  @UploadAs('page') attachmentId!: string;
}

/** What a handler throws that fails on purpose. */
export const FAILURE = new Error('as it was asked to');

/** Pages for other code of the application. */
@Injectable()
export class Pages {
  constructor(
    @InjectRepository(Page) private readonly pages: Repository<Page>,
    readonly queue: TaskQueue,
  ) {}

  @WithTaskQueue()
  async add(title: string): Promise<Page> {
    const page = await this.pages.save(this.pages.create({ title }));
    if (title.startsWith('failing')) throw FAILURE;
    return page;
  }

  async titles(): Promise<string[]> {
    // What is there now, wherever the configuration has TypeORM cache.
    return (await this.pages.createQueryBuilder('page').cache(false).getMany()).map(({ title }) => title);
  }
}

@Controller('pages')
class PagesController {
  constructor(@InjectRepository(Page) private readonly pages: Repository<Page>) {}

  @Post()
  @WithTaskQueue()
  async save(@Body() { isFailing = false, title = 'untitled', ...rest }: PageDto): Promise<Page> {
    const page = await this.pages.save(this.pages.create({ title, ...rest }));
    if (isFailing) throw FAILURE;
    return page;
  }

  @Post('form')
  @WithTaskQueue()
  async form(@Body() dto: FormDto): Promise<Page> {
    const page = await this.pages.save(this.pages.create(dto));
    if (dto.title === 'failing') throw FAILURE;
    return page;
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id') id: string, @Body() { attachmentId }: PageDto): Promise<Page> {
    const page = await this.pages.findOneByOrFail({ id });
    return this.pages.save(Object.assign(page, { attachmentId }));
  }

  @Delete(':id')
  @WithTaskQueue()
  async remove(@Param('id') id: string): Promise<object> {
    await this.pages.remove(await this.pages.findOneByOrFail({ id }));
    return {};
  }
}

/** The application that every configuration runs. */
export interface PagesApp {
  readonly nest: INestApplication;
  readonly dataSource: DataSource;
  readonly pages: Pages;
  /** The storage `default`. */
  readonly storage: FaultyStorage;
  fetch(path: string, init?: RequestInit & { user?: string }): Promise<Response>;
  send(method: string, path: string, body?: object): Promise<{ status: number; body: Answer }>;
  /** Uploads a text as a user, and gives the file's id. */
  upload(text: string, user?: string, name?: string): Promise<string>;
  close(): Promise<void>;
}

interface Answer {
  readonly id: string;
  readonly attachmentId: string;
  readonly parts: { readonly id: string; readonly fileId: string }[];
}

/** Starts it on a database that has its tables. */
export async function startPages(
  database: DataSourceOptions,
  platform: Platform,
  options: { preparedStatements?: boolean } = {},
): Promise<PagesApp> {
  const storage = new FaultyStorage(memoryStorage());
  const testing = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...database, entities: PAGES_ENTITIES } as DataSourceOptions),
      TypeOrmModule.forFeature([Page, Part, Shelf]),
      FilesModule.forRoot({
        storages: { default: storage, rows: databaseStorage() },
        actor: byHeader,
        isManager: (actor) => actor?.id === 'admin',
        uploads: 'authenticated',
        quotas: { user: (id) => (id.startsWith('poor') ? { bytes: 10 } : null) },
        links: { secrets: ['0123456789abcdef0123456789abcdef'] },
        ...options,
      }),
    ],
    controllers: [PagesController],
    providers: [Pages],
  }).compile();
  const nest = testing.createNestApplication(platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(), {
    logger: false,
  });
  nest.useGlobalPipes(new ValidationPipe({ transform: true }));
  await nest.listen(0, '127.0.0.1');
  const url = await nest.getUrl();
  const request: PagesApp['fetch'] = (path, { user = 'ada', headers, ...init } = {}) =>
    fetch(url + path, { ...init, headers: { 'x-user': user, ...headers } });
  return {
    nest,
    dataSource: nest.get(DataSource),
    pages: nest.get(Pages),
    storage,
    fetch: request,
    send: async (method, path, body) => {
      const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const response = await request(path, { method, ...json });
      return { status: response.status, body: (await response.json()) as Answer };
    },
    upload: async (text, user = 'ada', name = 'notes.txt') => {
      const form = new FormData();
      form.append('file', new Blob([text]), name);
      const response = await request('/files', { method: 'POST', user, body: form });
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
      return ((await response.json()) as Answer).id;
    },
    close: () => nest.close(),
  };
}
