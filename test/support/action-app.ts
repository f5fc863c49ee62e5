import { Body, Controller, Inject, Injectable, Param, ParseIntPipe, Patch, Post, ValidationPipe } from '@nestjs/common';
import type { Provider, Type, ValidationPipeOptions } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Type as TransformType } from 'class-transformer';
import { IsOptional, IsString, MinLength, ValidateNested } from 'class-validator';
import { Column, DataSource, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';
import type { Relation } from 'typeorm';
import type { FilesModuleOptions } from '../../lib/files.options.js';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { FileIntent } from '../../lib/files/intents/file-intent.entity.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import type { StorageLimits } from '../../lib/storage/storage-limits.js';
import { FileField } from '../../lib/ownership/guard/file-field.decorator.js';
import { OwnsFiles } from '../../lib/ownership/owns-files.decorator.js';
import { WithTaskQueue } from '../../lib/task-queue/with-task-queue.decorator.js';
import { AcceptFileType, MaxFileSize, TransferOwnership } from '../../lib/validation/file-constraints.js';
import { UploadAs } from '../../lib/validation/upload-as.constraint.js';
import { onTestFinished } from 'vitest';
import type { TestDatabase } from './databases.js';
import { filesBelow, newDirectory } from './files-directory.js';
import { startApp } from './http-app.js';
import type { HttpApp, Platform } from './http-app.js';

@Entity('gallery')
@OwnsFiles('gallery')
export class Gallery {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @FileField({ onReplace: 'delete' }) @Column('varchar', { nullable: true }) coverId!: string | null;
  @Column('varchar', { nullable: true }) posterUrl!: string | null;
  @FileField() @Column('simple-json', { nullable: true }) images!: string[] | null;
  @VersionColumn() version!: number;
  @OneToMany(() => Picture, (picture) => picture.gallery, { cascade: true }) pictures!: Relation<Picture>[];
}

@Entity('picture')
@OwnsFiles('picture')
export class Picture {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') label!: string;
  @FileField() @Column('varchar', { nullable: true }) fileId!: string | null;
  @ManyToOne(() => Gallery, (gallery) => gallery.pictures) gallery!: Relation<Gallery>;
}

export class PictureDto {
  @IsString() label!: string;
  @UploadAs('picture') fileId!: string;
}

export class GalleryDto {
  @IsString() @MinLength(1) title!: string;
  @IsOptional() @UploadAs('gallery') @AcceptFileType('text') @MaxFileSize('1kB') coverId?: string | null;
  @IsOptional() @UploadAs('gallery', { attachAs: 'permanentLink', field: 'posterUrl' }) poster?: string;
  @IsOptional() @UploadAs('gallery', { attachAs: 'id' }) images?: string[];
  @IsOptional() @ValidateNested({ each: true }) @TransformType(() => PictureDto) pictures?: PictureDto[];
}

/** What the handler does after it has saved the record. */
@Injectable()
export class Afterwards {
  run: (gallery: Gallery) => unknown = () => undefined;
}

class AttachDto {
  @IsString() title!: string;
  @IsOptional() @TransferOwnership('gallery') coverId?: string;
}

/** Takes a file that was uploaded before. */
@Controller('attached')
export class AttachController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: AttachDto) {
    return this.dataSource.getRepository(Gallery).save({ title: dto.title, coverId: dto.coverId ?? null });
  }
}

@Controller('galleries')
export class GalleriesController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(Afterwards) private readonly afterwards: Afterwards,
  ) {}

  @Post()
  @WithTaskQueue()
  async create(@Body() dto: GalleryDto) {
    const galleries = this.dataSource.getRepository(Gallery);
    const saved = await galleries.save(galleries.create(dto));
    await this.afterwards.run(saved);
    return saved;
  }

  @Post('again')
  @WithTaskQueue({ retry: 2 })
  again(@Body() dto: GalleryDto) {
    return this.create(dto);
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id', ParseIntPipe) id: number, @Body() dto: GalleryDto) {
    const galleries = this.dataSource.getRepository(Gallery);
    return galleries.save({ ...(await galleries.findOneByOrFail({ id })), ...(dto as object) } as Gallery);
  }
}

export interface ActionApp extends HttpApp {
  afterwards: Afterwards;
  /** Sends a form, or JSON. */
  send(
    path: string,
    body: FormData | object,
    method?: string,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** How many rows and bytes there are: of galleries, files, intents and stored objects. */
  counts(): Promise<{ galleries: number; files: number; intents: number; stored: number }>;
  files(): Promise<ManagedFile[]>;
}

export interface ActionSetup {
  platform?: Platform;
  database?: TestDatabase;
  pipe?: ValidationPipeOptions | null;
  options?: Partial<FilesModuleOptions>;
  /** Limits of the storage. */
  limits?: StorageLimits;
  controllers?: Type[];
  providers?: Provider[];
  entities?: Type[];
}

/** Galleries that are saved together with their files. The validation pipe is as strict as it can be. */
export async function actionApp(setup: ActionSetup = {}): Promise<ActionApp> {
  const { pipe = { transform: true, whitelist: true, forbidNonWhitelisted: true } } = setup;
  const root = newDirectory();
  const own = await setup.database?.create();
  if (own) onTestFinished(own.drop);
  const app = await startApp({
    ...(setup.platform && { platform: setup.platform }),
    options: { storages: { default: fsStorage({ root, ...setup.limits }) }, ...setup.options },
    ...(own && { database: own.options }),
    imports: [TypeOrmModule.forFeature([Gallery, Picture, ...(setup.entities ?? [])])],
    controllers: setup.controllers ?? [GalleriesController],
    providers: [Afterwards, ...(setup.providers ?? [])],
    prepare: (nest) => void (pipe && nest.useGlobalPipes(new ValidationPipe(pipe))),
  });
  const { dataSource } = app;
  const count = (entity: Type) => dataSource.getRepository(entity).count();
  return {
    ...app,
    afterwards: app.app.get(Afterwards),
    send: async (path, body, method = 'POST') => {
      const isForm = body instanceof FormData;
      const response = await app.fetch(path, {
        method,
        user: 'anna',
        body: isForm ? body : JSON.stringify(body),
        headers: isForm ? {} : { 'content-type': 'application/json' },
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    counts: async () => {
      await app.app.get(ByteRemovals).idle();
      return {
        galleries: await count(Gallery),
        files: await count(ManagedFile),
        intents: await count(FileIntent),
        stored: (await filesBelow(root)).length,
      };
    },
    files: () => dataSource.getRepository(ManagedFile).find({ order: { id: 'ASC' } }),
  };
}

/** A form: texts as they are, files as their content and name. */
export function actionForm(fields: [name: string, value: string | { content: string; name: string }][]): FormData {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([value.content]), value.name);
  }
  return form;
}

export function textFile(content: string, name = `${content}.txt`): { content: string; name: string } {
  return { content, name };
}
