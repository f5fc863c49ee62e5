import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Controller, Get, Headers, Injectable, Param, StreamableFile } from '@nestjs/common';
import type { Provider } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { unzipSync, Zip, ZipPassThrough } from 'fflate';
import {
  FileField,
  FilePolicy,
  FilesAccess,
  FilesService,
  OwnershipTransferTask,
  OwnerPolicy,
  OwnsFiles,
  TaskQueue,
  WithTaskQueue,
} from 'nestjs-files';
import type {
  Actor,
  FileAccessPolicy,
  FileOperation,
  FileOwnerPolicy,
  FilesModuleOptions,
  ManagedFile,
} from 'nestjs-files';
import { FileTransfer } from 'nestjs-files/entities';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { Storage } from 'nestjs-files/storage';
import {
  Column,
  DataSource,
  Entity,
  MoreThan,
  MoreThanOrEqual,
  PrimaryGeneratedColumn,
  Repository,
  Unique,
} from 'typeorm';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import { storageWith } from '../../support/storage-with.js';

@Entity()
@OwnsFiles('album')
class Album {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @FileField() @Column('uuid', { nullable: true }) coverId!: string | null;
  @FileField() @Column('simple-json', { nullable: true }) photoIds!: string[] | null;
}

@Entity()
@OwnsFiles('version', { onDelete: 'delete' })
@Unique(['documentId', 'number'])
export class Version {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') documentId!: string;
  @Column('integer') number!: number;
  @FileField() @Column('uuid') fileId!: string;
}

/** Entries are stored as they are, because most files are compressed already. */
export async function* zipOf(service: FilesService, files: readonly ManagedFile[]): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const zip = new Zip((error, piece) => {
    if (error) throw error;
    pieces.push(piece);
  });
  for (const [at, file] of files.entries()) {
    // Two files may have the same name.
    const entry = new ZipPassThrough(`${at + 1} ${file.name}`);
    zip.add(entry);
    for await (const piece of await service.stream(file)) {
      entry.push(piece);
      yield* pieces.splice(0);
    }
    entry.push(new Uint8Array(), true);
    yield* pieces.splice(0);
  }
  zip.end();
  yield* pieces.splice(0);
}

@Controller('albums')
export class AlbumArchives {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
  ) {}

  @Get(':id/photos.zip')
  async download(@Param('id') id: string, @Headers('x-user') user: string) {
    const { results } = await this.files.scan({ ownerType: 'album', ownerId: id, limit: 1000 });
    const allowed = await this.access.allowed({ type: 'user', id: user }, 'stream', results);
    return new StreamableFile(Readable.from(zipOf(this.files, allowed)), { type: 'application/zip' });
  }
}

@Injectable()
export class Versions {
  constructor(
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
    @InjectRepository(Version) private readonly versions: Repository<Version>,
  ) {}

  @WithTaskQueue()
  async add(documentId: string, fileId: string): Promise<Version> {
    const number = ((await this.versions.maximum('number', { documentId })) ?? 0) + 1;
    const version = await this.versions.save({ documentId, number, fileId });
    this.queue.add(new OwnershipTransferTask(fileId, 'version', 'id'));
    return version;
  }

  /** The content of an earlier version becomes the newest one. */
  @WithTaskQueue()
  async restore({ documentId, fileId }: Version): Promise<Version> {
    const copy = await this.files.copy(fileId, { owner: null });
    return this.add(documentId, copy.id);
  }
}

@Injectable()
class Albums {
  constructor(
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
    @InjectRepository(Album) private readonly albums: Repository<Album>,
  ) {}

  @WithTaskQueue()
  async share(from: Album, title: string): Promise<Album> {
    const copy = await this.files.copy(from.coverId ?? '', { owner: null });
    const album = await this.albums.save({ title, coverId: copy.id });
    this.queue.add(new OwnershipTransferTask(copy.id, 'album', 'id'));
    return album;
  }

  @WithTaskQueue()
  async duplicate(id: number): Promise<Album> {
    const original = await this.albums.findOneByOrFail({ id });
    const album = await this.albums.save({ title: `${original.title}, copy` });
    const ids = await this.files.copyAll({ type: 'album', id: `${id}` }, { type: 'album', id: `${album.id}` });
    album.coverId = ids.get(original.coverId ?? '') ?? null;
    album.photoIds = original.photoIds?.map((photoId) => ids.get(photoId) ?? photoId) ?? null;
    return this.albums.save(album);
  }
}

@Controller('albums')
class AlbumLists {
  constructor(
    private readonly access: FilesAccess,
    @InjectRepository(Album) private readonly albums: Repository<Album>,
  ) {}

  @Get()
  async list(@Headers('x-user') user: string) {
    const albums = await this.albums.find({ order: { id: 'ASC' } });
    const ids = albums.flatMap(({ coverId }) => coverId ?? []);
    const addresses = await this.access.addressesOf({ type: 'user', id: user }, ids);
    return albums.map(({ id, title, coverId }) => ({ id, title, cover: addresses.get(coverId ?? '') ?? null }));
  }
}

export const TENANTS = ['acme', 'umbrella'];

export const placeOf = (tenant: string): string => `tenant-${tenant}`;

export function storagesOf(root: string): Record<string, Storage> {
  return Object.fromEntries(TENANTS.map((tenant) => [placeOf(tenant), fsStorage({ root: join(root, tenant) })]));
}

const tenantOf = (actor: Actor | null): string => actor?.id.split('@')[1] ?? '';

@Injectable()
export class HistoryExport {
  constructor(private readonly dataSource: DataSource) {}

  async *lines(since: Date): AsyncGenerator<string> {
    for (let after = ''; ;) {
      const page = await this.dataSource.getRepository(FileTransfer).find({
        where: { at: MoreThanOrEqual(since), ...(after && { id: MoreThan(after) }) },
        order: { id: 'ASC' },
        take: 1000,
      });
      for (const change of page) yield `${JSON.stringify(change)}\n`;
      const last = page.at(-1);
      if (!last) return;
      after = last.id;
    }
  }
}

/** Ada may read the albums with an odd id. */
@OwnerPolicy('album')
class AlbumPolicy implements FileOwnerPolicy {
  readonly asked: (readonly string[])[] = [];

  allows(_operation: string, actor: Actor | null, id: string): boolean {
    return actor?.id === 'ada' && Number(id) % 2 === 1;
  }

  allowsMany(operation: string, actor: Actor | null, ids: readonly string[]): string[] {
    this.asked.push(ids);
    return ids.filter((id) => this.allows(operation, actor, id));
  }
}

/** Nobody downloads a file with this name, also who may see it. */
@FilePolicy()
class ClosedBytes implements FileAccessPolicy {
  allows(operation: FileOperation, _: Actor | null, { name }: ManagedFile): boolean | null {
    return operation === 'stream' && name === 'closed.txt' ? false : null;
  }
}

async function start(options: Partial<FilesModuleOptions> = {}, policies: Provider[] = []) {
  const app = await startApp({
    options: { cascade: { album: true }, ...options },
    imports: [TypeOrmModule.forFeature([Album, Version])],
    controllers: [AlbumArchives, AlbumLists],
    providers: [Albums, Versions, AlbumPolicy, HistoryExport, ...policies],
  });
  const files = app.app.get(FilesService);
  const queue = app.app.get(TaskQueue);
  const make = (text: string, name = `${text}.txt`) => files.create(Buffer.from(text), { name, owner: null });
  const albums = app.dataSource.getRepository(Album);
  const save = (title: string, cover: string, ...photos: string[]): Promise<Album> =>
    queue.run(async () => {
      const [coverFile, ...others] = [await make(cover), ...(await Promise.all(photos.map((photo) => make(photo))))];
      const photoIds = others.map(({ id }) => id);
      const album = await albums.save({ title, coverId: coverFile!.id, photoIds });
      const owner = { ownerType: 'album', ownerId: String(album.id), pin: true };
      await files.transferOwnership([coverFile!.id, ...photoIds], owner);
      return album;
    });
  return { ...app, files, queue, make, albums, save };
}

it('runs every example of the recipes', async () => {
  expect(await examplesNotRun('recipes/zip-of-attachments.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/versions-of-a-file.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/one-file-in-two-records.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/copy-a-record.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/list-with-addresses.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/a-place-for-each-tenant.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('recipes/audit-export.md', import.meta.url)).toEqual([]);
});

it('sends a zip of the files that the user may download', async () => {
  const { fetch, save, files, albums, make } = await start();
  const { id } = await save('One', 'cover', 'cover');
  const large = await make('x'.repeat(300_000), 'large.txt');
  await files.transferOwnership(large.id, { ownerType: 'album', ownerId: String(id) });
  const response = await fetch(`/albums/${id}/photos.zip`, { user: 'ada' });
  expect(response.headers.get('content-type')).toBe('application/zip');
  const entries = unzipSync(new Uint8Array(await response.arrayBuffer()));
  const sizes = Object.fromEntries(Object.entries(entries).map(([name, bytes]) => [name.slice(2), bytes.length]));
  expect(sizes).toEqual({ 'cover.txt': 5, 'large.txt': 300_000 });
  expect(Object.keys(entries)).toHaveLength(3);
  const nothing = await fetch(`/albums/${id}/photos.zip`, { user: 'eve' });
  expect(unzipSync(new Uint8Array(await nothing.arrayBuffer()))).toEqual({});
  expect(await albums.count()).toBe(1);
  expect((await files.search()).count).toBe(3);
});

it('leaves out of a zip what the user may see, and not download', async () => {
  const { fetch, save } = await start({}, [ClosedBytes]);
  const { id } = await save('One', 'open', 'closed');
  const response = await fetch(`/albums/${id}/photos.zip`, { user: 'ada' });
  const entries = Object.keys(unzipSync(new Uint8Array(await response.arrayBuffer())));
  expect(entries).toEqual(['1 open.txt']);
});

it('keeps versions, restores one, and removes the bytes of one that goes', async () => {
  const { app, files, make, dataSource } = await start();
  const versions = app.get(Versions);
  const document = randomUUID();
  const first = await versions.add(document, (await make('one')).id);
  await versions.add(document, (await make('two')).id);
  const third = await versions.restore(first);
  expect(third).toMatchObject({ number: 3 });
  expect(await files.findOrFail(third.fileId)).toMatchObject({ ownerType: 'version', ownerId: third.id, size: 3 });
  expect((await files.findOrFail(third.fileId)).hash).toBe((await files.findOrFail(first.fileId)).hash);
  const rows = dataSource.getRepository(Version);
  await rows.remove(await rows.findOneByOrFail({ id: first.id }));
  await expect(files.findOrFail(first.fileId)).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
  expect((await files.search()).count).toBe(2);
});

it('refuses one file in two records, and shares a copy', async () => {
  const { app, files, save, albums } = await start();
  const album = await save('One', 'cover');
  await expect(albums.save({ title: 'Two', coverId: album.coverId })).rejects.toMatchObject({
    code: expect.stringMatching(/^FILES_/) as string,
  });
  const shared = await app.get(Albums).share(album, 'Two');
  expect(shared.coverId).not.toBe(album.coverId);
  expect(await files.findOrFail(shared.coverId ?? '')).toMatchObject({
    ownerType: 'album',
    ownerId: String(shared.id),
  });
});

it('copies a record with its files', async () => {
  const { app, files, save, albums, stored } = await start();
  const album = await save('One', 'cover', 'a', 'b');
  const copy = await app.get(Albums).duplicate(album.id);
  const saved = await albums.findOneByOrFail({ id: copy.id });
  const ids = [saved.coverId ?? '', ...(saved.photoIds ?? [])];
  expect(new Set([...ids, album.coverId, ...(album.photoIds ?? [])]).size).toBe(6);
  const owner = { ownerType: 'album', ownerId: String(copy.id), pinned: true };
  const names = ['cover.txt', 'a.txt', 'b.txt'];
  for (const [at, id] of ids.entries()) expect(await files.findOrFail(id)).toMatchObject({ name: names[at], ...owner });
  expect(await stored()).toHaveLength(6);
});

it('lists records with addresses, and asks the policy once', async () => {
  const { app, fetch, save } = await start();
  const albums = [await save('One', 'a'), await save('Two', 'b'), await save('Three', 'c')];
  const { asked } = app.get(AlbumPolicy);
  asked.length = 0;
  const list = (await (await fetch('/albums', { user: 'ada' })).json()) as { id: number; cover: string | null }[];
  expect(asked).toHaveLength(1);
  expect(list).toMatchObject(
    albums.map(({ id, title, coverId }) => ({ id, title, cover: id % 2 === 1 ? `/files/${coverId}/content` : null })),
  );
  const cover = await fetch(list.find(({ id }) => id % 2 === 1)?.cover ?? '', { user: 'ada' });
  expect(cover.status).toBe(200);
});

it('lists no address of what the user may see, and not download', async () => {
  const everybody = storageWith({ publicUrl: async (location) => `https://bytes.example/${location}` });
  const { fetch, save } = await start({ storages: { default: everybody } }, [ClosedBytes]);
  for (const cover of ['closed', 'even', 'open']) await save(cover, cover);
  const list = (await (await fetch('/albums', { user: 'ada' })).json()) as { title: string; cover: string | null }[];
  const listed = list.filter(({ cover }) => cover?.startsWith('https://bytes.example/')).map(({ title }) => title);
  expect(listed).toEqual(['open']);
});

it('keeps the files of tenants apart', async () => {
  const root = newDirectory();
  const app = await start({
    storages: storagesOf(root),
    defaultStorage: placeOf('acme'),
    uploads: (actor, storage) => storage === placeOf(tenantOf(actor)),
  });
  const own = await uploadFile(app, 'ada@umbrella', formWith('text', 'a.txt', { storage: 'tenant-umbrella' }));
  expect(await app.files.findOrFail(own.id)).toMatchObject({ storage: 'tenant-umbrella' });
  const body = formWith('text', 'a.txt', { storage: 'tenant-acme' });
  expect((await app.fetch('/files', { method: 'POST', user: 'ada@umbrella', body })).status).toBe(403);
});

it('exports the history page by page', async () => {
  const { app, files, make } = await start();
  const { id } = await make('one');
  await files.transferOwnership(id, { ownerType: 'user', ownerId: 'ada', actor: { type: 'user', id: 'eve' } });
  await files.delete(id);
  const lines: Record<string, unknown>[] = [];
  for await (const line of app.get(HistoryExport).lines(new Date(0)))
    lines.push(JSON.parse(line) as Record<string, unknown>);
  expect(lines).toMatchObject([
    { fileId: id, action: 'create' },
    { action: 'transfer', toType: 'user', toId: 'ada', actorId: 'eve' },
    { action: 'delete', fromId: 'ada' },
  ]);
  for await (const line of app.get(HistoryExport).lines(new Date(Date.now() + 60_000))) expect(line).toBe('none');
});
