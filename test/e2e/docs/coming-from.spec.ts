import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { Body, Controller, Injectable, Post, UploadedFile, UseInterceptors, ValidationPipe } from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsNotEmpty } from 'class-validator';
import {
  AcceptFileType,
  FilesModule,
  FilesService,
  MaxFileSize,
  OwnerPolicy,
  OwnershipTransferTask,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from 'nestjs-files';
import type { FileOwnerPolicy } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { expect, it, onTestFinished } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { byHeader, formWith, startApp, uploadFile } from '../../support/http-app.js';

@Entity()
class OldArticle {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
  @Column('varchar') path!: string;
}

@Entity()
@OwnsFiles('article')
class Article {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { unique: true }) title!: string;
  @Column('uuid', { nullable: true }) attachmentId!: string | null;
}

@Controller('old/articles')
export class OldArticlesController {
  constructor(@InjectRepository(OldArticle) private readonly articles: Repository<OldArticle>) {}

  @Post()
  @UseInterceptors(FileInterceptor('attachment', { dest: 'uploads' }))
  create(@Body('title') title: string, @UploadedFile() file: Express.Multer.File) {
    return this.articles.save({ title, path: file.path });
  }
}

export class CreateArticleDto {
  @IsNotEmpty() title!: string;
  @AcceptFileType('application/pdf') @MaxFileSize('20MiB') @TransferOwnership('article') attachmentId!: string;
}

@Controller('articles')
export class ArticlesController {
  constructor(@InjectRepository(Article) private readonly articles: Repository<Article>) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: CreateArticleDto) {
    return this.articles.save({ ...dto });
  }
}

export class ArticleFormDto {
  @IsNotEmpty() title!: string;
  @UploadAs('article', { field: 'attachmentId' }) @AcceptFileType('application/pdf') attachment!: string;
}

@Controller('articles')
class FormsController {
  constructor(@InjectRepository(Article) private readonly articles: Repository<Article>) {}

  @Post('by-form')
  @WithTaskQueue()
  createByForm(@Body() { title }: ArticleFormDto) {
    return this.articles.save({ title });
  }
}

@Injectable()
class Adoption {
  constructor(
    @InjectRepository(Article) private readonly articles: Repository<Article>,
    private readonly files: FilesService,
    private readonly queue: TaskQueue,
  ) {}

  @WithTaskQueue()
  async adopt(old: OldArticle): Promise<Article> {
    const file = await this.files.register(basename(old.path), { storage: 'uploads', owner: null });
    this.queue.add(new OwnershipTransferTask(file.id, 'article', 'id'));
    return this.articles.save({ title: old.title, attachmentId: file.id });
  }
}

@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  allows(): boolean {
    return true;
  }
}

@OwnerPolicy('group')
class GroupFiles extends PackageFiles {}

const admins = new Set(['root']);

it('runs every example of the pages on multer and ckanext-files', async () => {
  expect(await examplesNotRun('coming-from-multer.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('coming-from-ckanext-files.md', import.meta.url)).toEqual([]);
});

it('goes from multer as the page says', async () => {
  const directory = newDirectory();
  const [managed, uploads] = [newDirectory(), join(directory, 'uploads')];
  const here = process.cwd();
  process.chdir(directory);
  const app = await startApp({
    options: {
      actor: byHeader,
      storages: { default: fsStorage({ root: managed }), uploads: fsStorage({ root: uploads }) },
    },
    imports: [TypeOrmModule.forFeature([OldArticle, Article])],
    controllers: [OldArticlesController, ArticlesController, FormsController],
    providers: [Adoption],
    prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
  });
  onTestFinished(() => process.chdir(here));
  const files = app.app.get(FilesService);
  const form = (title: string): FormData => {
    const made = new FormData();
    made.append('title', title);
    made.append('attachment', new Blob(['%PDF-1.7\n']), 'a.pdf');
    return made;
  };
  const ownerOf = async (article: Article) => (await files.findOrFail(String(article.attachmentId))).ownerId;

  const old = (await (await app.fetch('/old/articles', { method: 'POST', body: form('old') })).json()) as OldArticle;
  const { id } = await uploadFile(app, 'ada', formWith('%PDF-1.7\n', 'b.pdf'));
  const created = await app.fetch('/articles', {
    method: 'POST',
    user: 'ada',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ title: 'new', attachmentId: id }),
  });
  const byForm = await app.fetch('/articles/by-form', { method: 'POST', body: form('form') });
  const again = await app.fetch('/articles/by-form', { method: 'POST', body: form('form') });
  const adopted = await app.app.get(Adoption).adopt({ ...old, path: join(directory, old.path) });

  expect([created.status, byForm.status, again.status]).toEqual([201, 201, 500]);
  const articles = [(await created.json()) as Article, (await byForm.json()) as Article, adopted];
  for (const article of articles) expect(await ownerOf(article)).toBe(article.id);
  expect((await files.search()).count).toBe(3);
  expect(await readFile(join(directory, old.path), 'utf8')).toBe('%PDF-1.7\n');
});

it('goes from ckanext-files as the page says', async () => {
  const module = () =>
    FilesModule.forRoot({
      defaultStorage: 'default',
      storages: {
        default: fsStorage({ root: '/var/lib/files', maxSize: '10MiB', acceptedTypes: ['pdf', 'image'] }),
      },
      uploads: 'authenticated',
      cascade: { package: true, group: true },
      transferAsUpdate: true,
      scanAs: 'update',
      isManager: (actor) => admins.has(actor?.id ?? ''),
    });
  expect(module).not.toThrow();
  const storage = fsStorage({ root: newDirectory() });
  const app = await startApp({
    options: { storages: { default: storage }, cascade: { package: true, group: true } },
    providers: [PackageFiles, GroupFiles],
  });
  const [files, queue] = [app.app.get(FilesService), app.app.get(TaskQueue)];
  const rows = [
    { location: 'a/1', name: 'one', owner_type: 'package', owner_id: '7', pinned: true },
    { location: 'a/2', name: 'two', owner_type: null, owner_id: '', pinned: false },
  ];
  for (const { location } of rows) await storage.write(location, Readable.from(['x']));

  for (const { location, name, owner_type, owner_id, pinned } of rows) {
    await queue.run(async () => {
      const file = await files.register(location, { name, storage: 'default', owner: null });
      if (owner_type === null) return;
      await files.transferOwnership(file.id, { ownerType: owner_type, ownerId: owner_id, pin: pinned });
    });
  }

  const { results } = await files.search({ sort: 'name' });
  expect(results.map((file) => [file.name, file.location, file.ownerId, file.pinned])).toEqual([
    ['one', 'a/1', '7', true],
    ['two', 'a/2', null, false],
  ]);
});
