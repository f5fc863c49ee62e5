import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { buffer, text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Controller, Get, Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule, FilesService, WithTaskQueue } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FILES_ENTITIES, ManagedFile } from 'nestjs-files/entities';
import { LocationNotFoundError, LocationTakenError } from 'nestjs-files/errors';
import { adoptStorage, FilesDrafts, FilesMover, FilesSweeper } from 'nestjs-files/maintenance';
import { cutToRange, dateLocation, InjectStorage, Storage } from 'nestjs-files/storage';
import type { FilesModuleOptions } from 'nestjs-files';
import type { ByteRange, LocationTransformer, StorageAdapter, StoredObject } from 'nestjs-files/storage';
import { databaseStorage } from 'nestjs-files/storage/database';
import { fsStorage } from 'nestjs-files/storage/fs';
import { linkStorage } from 'nestjs-files/storage/link';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { describeStorage } from 'nestjs-files/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { theDatabase } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { shellBlocks } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';
import { byHeader, startApp } from '../../support/http-app.js';

const run = promisify(execFile);

/** What the SDK of some cloud offers. */
class Bucket {
  readonly #objects = new Map<string, { bytes: Buffer; modifiedAt: Date }>();

  async putIfAbsent(key: string, content: Readable): Promise<boolean> {
    const bytes = await buffer(content);
    if (this.#objects.has(key)) return false;
    this.#objects.set(key, { bytes, modifiedAt: new Date() });
    return true;
  }

  async get(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const found = this.#objects.get(key)?.bytes;
    return found && Readable.from([Buffer.from(range ? found.subarray(range.start, range.end + 1) : found)]);
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const found = this.#objects.get(key);
    return found && { size: found.bytes.length, modifiedAt: found.modifiedAt };
  }

  async *keys(prefix: string): AsyncGenerator<StoredObject & { key: string }> {
    for (const [key, { bytes, modifiedAt }] of this.#objects)
      if (key.startsWith(prefix)) yield { key, size: bytes.length, modifiedAt };
  }

  async sign(key: string, { expiresAt }: { expiresAt: Date }): Promise<string> {
    return `https://bucket.example/${key}?until=${expiresAt.getTime()}`;
  }
}

export function bucketAdapter(bucket: Bucket): StorageAdapter {
  return {
    async write(location, content) {
      // Told before the content is read, where it can be; what decides is the bucket.
      const isTaken = (await bucket.head(location)) !== undefined;
      const isNew = !isTaken && (await bucket.putIfAbsent(location, content));
      if (!isNew) throw new LocationTakenError(location);
    },
    async read(location, range) {
      const content = await bucket.get(location, range);
      if (!content) throw new LocationNotFoundError(location);
      return content;
    },
    remove: (location) => bucket.delete(location), // of nothing: does nothing
    stat: (location) => bucket.head(location), // undefined, or { size, modifiedAt }
    async *list(directory) {
      const prefix = directory === undefined ? '' : `${directory}/`;
      for await (const { key, size, modifiedAt } of bucket.keys(prefix)) yield { location: key, size, modifiedAt };
    },
    temporaryUrl: (location, request) => bucket.sign(location, request), // { expiresAt, disposition, name, contentType }
  };
}

describeStorage('bucket', () => bucketAdapter(new Bucket()), { describe, it });

/** What can only be read from its beginning. */
interface Tape {
  open(location: string): Promise<Readable | undefined>;
}

export function tapeAdapter(tape: Tape): StorageAdapter {
  return {
    async read(location, range) {
      const content = await tape.open(location);
      if (!content) throw new LocationNotFoundError(location);
      return range ? cutToRange(content, range) : content;
    },
  };
}

@Injectable()
export class Thumbnails {
  constructor(@InjectStorage('images') private readonly images: Storage) {}

  has(location: string): Promise<boolean> {
    return this.images.exists(location);
  }
}

@Injectable()
export class Reports {
  constructor(private readonly files: FilesService) {}

  @WithTaskQueue()
  async make(rows: AsyncIterable<string>): Promise<ManagedFile> {
    const file = await this.files.create(Readable.from(rows), {
      name: 'report.csv',
      storage: 'tables',
      contentType: 'text/csv',
      owner: { type: 'user', id: 'reports' },
    });
    if (file.size === 0) throw new Error('There is nothing to report');
    return file;
  }
}

@Controller('scans')
class ScansController {
  constructor(private readonly files: FilesService) {}

  @Get()
  @WithTaskQueue()
  async scan(): Promise<string> {
    const { files } = this;
    await files.scan({ ownerType: 'package', ownerId: '42' });
    await files.scan({ limit: 50 }); // those of the actor of the current call
    return 'scanned';
  }
}

const bucket = new Bucket();
const tenant = 'acme';
const byTenant: LocationTransformer = ({ uuid, now }) => `${tenant}/${now.getUTCFullYear()}/${uuid}`;

/** The modules of the pages, each made in a directory of its own. */
const modules = {
  storages: () =>
    FilesModule.forRoot({
      storages: {
        default: fsStorage({ root: 'var/files', maxSize: '50MiB' }),
        images: fsStorage({ root: 'var/images', acceptedTypes: ['image'], location: dateLocation }),
        icons: databaseStorage({ maxSize: '256KiB', acceptedTypes: ['image'] }),
        links: linkStorage({ domains: ['*.example.org'] }),
      },
    }),
  bucket: () =>
    FilesModule.forRoot({
      storages: { default: new Storage(bucketAdapter(bucket), { maxSize: '10MiB' }) },
    }),
  uploads: () =>
    FilesModule.forRoot({
      storages: {
        default: fsStorage({ root: 'var/files', maxSize: '20MiB' }),
        tables: fsStorage({ root: 'var/tables', acceptedTypes: ['text/csv'] }),
      },
      uploads: (actor, storage) => actor !== null && storage === 'tables',
    }),
  drafts: () =>
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: 'var/files' }) },
      drafts: { expireAfter: '7d' },
    }),
  intents: () =>
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: 'var/files' }) },
      sweeper: { interval: 3_600_000, grace: 86_400_000 },
    }),
};

async function start(page: keyof typeof modules, providers = [Reports]) {
  const here = process.cwd();
  const directory = newDirectory();
  process.chdir(directory);
  try {
    return { ...(await startApp({ module: modules[page](), providers })), directory };
  } finally {
    process.chdir(here);
  }
}

/** Runs what a page says, as somebody who is signed in. */
async function inShell(block: string | undefined, url: string, cwd: string): Promise<unknown> {
  const script = `curl() { command curl -H 'x-user: ada' "$@"; }\n${block?.replace('http://localhost:3000', url)}`;
  const { stdout } = await run('bash', ['-euc', script], { cwd });
  return JSON.parse(stdout) as unknown;
}

it('runs every example of the pages about bytes', async () => {
  expect(await examplesNotRun('storages.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('uploads.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('intents-and-sweeper.md', import.meta.url)).toEqual([]);
  expect(await examplesNotRun('search.md', import.meta.url)).toEqual([]);
});

it('adopts a root as docs/storages.md says', async () => {
  const { options, drop } = await (await theDatabase()).create();
  onTestFinished(drop);
  const dataSource = new DataSource({
    ...options,
    entities: [...FILES_ENTITIES],
    synchronize: true,
  } as DataSourceOptions);
  const here = process.cwd();
  process.chdir(newDirectory());
  onTestFinished(() => process.chdir(here));

  await dataSource.initialize(); // with FILES_ENTITIES
  await adoptStorage(dataSource, 'default', fsStorage({ root: 'var/files' })); // with { installation }, where the module has it
  await dataSource.destroy();

  const isMarked = options.database !== ':memory:';
  expect(existsSync('var/files/.nestjs-files/mark')).toBe(isMarked);
});

it('moves the files of docs/storages.md', async () => {
  const { app } = await startApp({
    options: { storages: { disk: memoryStorage(), bucket: memoryStorage() }, defaultStorage: 'disk' },
  });
  const { id } = await app.get(FilesService).create(Buffer.from('text'), { name: 'a.txt', storage: 'disk' });
  const logger = new Logger('move');

  for await (const outcome of app.get(FilesMover).run({ from: 'disk', to: 'bucket', concurrency: 8 })) {
    if (outcome.kind === 'failed') logger.error(`${outcome.file.id} stays: ${String(outcome.error)}`);
  }

  const moved = await app.get(FilesService).findOrFail(id);
  expect(moved.storage).toBe('bucket');
});

it('has the storages of docs/storages.md', async () => {
  const { app } = await start('storages', [Thumbnails] as never);
  const files = app.get(FilesService);
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

  const image = await files.create(png, { name: 'a.png', storage: 'images' });
  const icon = await files.create(png, { name: 'a.png', storage: 'icons' });
  const text = files.create(Buffer.from('text'), { name: 'a.png', storage: 'images' });

  await expect(text).rejects.toMatchObject({ code: 'FILES_FILE_TYPE_NOT_ACCEPTED' });
  expect(image.location).toMatch(/^\d{4}\/\d\d\/\d\d\//);
  expect(await app.get(Thumbnails).has(image.location)).toBe(true);
  expect(await buffer(await files.stream(icon))).toEqual(png);
  const located = { uuid: 'u', name: 'n', contentType: 'text/plain', now: new Date('2026-01-01') };
  expect(byTenant(located)).toBe('acme/2026/u');
});

it('keeps files in the adapters of docs/storages.md', async () => {
  const { app } = await start('bucket');
  const files = app.get(FilesService);
  const large = files.create(Buffer.alloc(10 * 1024 * 1024 + 1), { name: 'a.bin' });
  await expect(large).rejects.toMatchObject({ code: 'FILES_FILE_TOO_LARGE' });
  const { id, storage } = await files.create(Buffer.from('in a bucket'), { name: 'a.txt' });
  expect([storage, await text(await files.stream(id, { start: 3, end: 5 }))]).toEqual(['default', 'a b']);
  const link = await app.get(FilesLinks).temporary(id);
  expect(link.url).toMatch(/^https:\/\/bucket\.example\//);
  await files.delete(id);
  await expect.poll(async () => (await bucket.keys('').next()).done).toBe(true);
});

it('reads the tape of docs/storages.md, of which it needs no more than one verb', async () => {
  const tape: Tape = {
    open: async (location) =>
      location === 'reel/1' ? Readable.from([Buffer.from('on a '), Buffer.from('tape')]) : undefined,
  };
  const { app } = await startApp({ options: { storages: { default: memoryStorage(), archive: tapeAdapter(tape) } } });
  const files = app.get(FilesService);
  const { id, size } = await files.register('reel/1', { storage: 'archive' });
  expect([size, await text(await files.stream(id, { start: 3, end: 6 }))]).toEqual([9, 'a ta']);
  await expect(files.register('reel/2', { storage: 'archive' })).rejects.toThrow(
    'location "reel/2" of storage "archive"',
  );
  const deletion = files.delete(id);
  await expect(deletion).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING', missing: ['remove'] });
});

it('takes uploads as docs/uploads.md says', async () => {
  const options: Partial<FilesModuleOptions> = {
    actor: byHeader,
    storages: { default: fsStorage({ root: newDirectory() }), tables: fsStorage({ root: newDirectory() }) },
  };
  const directory = newDirectory();
  const { url } = await startApp({ options });
  const { app } = await start('uploads');
  const reports = app.get(Reports);

  const [upload] = shellBlocks('uploads.md');
  const uploaded = await inShell(upload, url, directory);
  const report = await reports.make(Readable.from(['name,size\n', 'a,1\n']));

  expect(uploaded).toMatchObject({ name: 'table.csv', contentType: 'text/csv', storage: 'tables', ownerId: 'ada' });
  expect(report).toMatchObject({ contentType: 'text/csv', size: 14, ownerId: 'reports' });
  await expect(reports.make(Readable.from([]))).rejects.toThrow();
  expect((await app.get(FilesService).search()).count).toBe(1);
});

it('deletes uploads that were never attached as docs/uploads.md says', async () => {
  const { app } = await start('drafts');
  const files = app.get(FilesService);
  const drafts = app.get(FilesDrafts);
  const owner = { type: 'user', id: 'ada' };
  const { id } = await files.create(Buffer.from('draft'), { name: 'a.txt', owner, draft: true });
  await app
    .get(DataSource)
    .getRepository(ManagedFile)
    .update({ id }, { expiresAt: new Date(0) });

  const due = await drafts.preview({ limit: 20 }); // files that would be deleted now
  const { expired, bytes, kept } = await drafts.expire();

  expect(due).toMatchObject([{ id }]);
  expect({ expired, bytes, kept }).toEqual({ expired: 1, bytes: 5, kept: 0 });
});

it('sweeps as docs/intents-and-sweeper.md says', async () => {
  const { app } = await start('intents');
  const sweeper = app.get(FilesSweeper);

  const steps = await sweeper.preview(); // what it would do, and does not
  const report = await sweeper.sweep(); // { examined, finished, kept, failed, bytesRemoved, leftovers, expired }

  expect(steps).toEqual([]);
  expect(Object.keys(report)).toEqual([
    'examined',
    'finished',
    'kept',
    'failed',
    'bytesRemoved',
    'leftovers',
    'expired',
  ]);
});

it('answers the commands of docs/http.md', async () => {
  const storages = { default: fsStorage({ root: newDirectory() }), images: fsStorage({ root: newDirectory() }) };
  const { url } = await startApp({ options: { storages } });
  const directory = newDirectory();
  writeFileSync(`${directory}/photo.png`, Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));

  const answers = [];
  for (const block of shellBlocks('http.md', 2)) answers.push(await inShell(block, url, directory));

  expect(answers).toMatchObject([{ storage: 'images' }, { count: 1, results: [{ name: 'photo.png' }] }]);
});

it('searches as docs/search.md says', async () => {
  const { app, fetch } = await startApp({ controllers: [ScansController] });
  const files = app.get(FilesService);
  const create = (name: string, owner: string) =>
    files.create(Buffer.alloc(2000, 'x'), { name, owner: { type: 'package', id: owner } });
  for (const name of ['b.PDF', 'a.txt', 'c.pdf']) await create(name, '42');
  const names: string[] = [];
  const console = { log: (name: string) => names.push(name) };

  const { count, results, next } = await files.search({
    filters: { ownerType: 'package', size: { $gt: 1024 }, name: { $ilike: '%.pdf' } },
    sort: [['createdAt', 'desc'], 'name'],
    limit: 20,
  });
  let cursor: string | null = null;
  do {
    const page = await files.search({ sort: 'name', limit: 100, cursor });
    for (const file of page.results) console.log(file.name);
    cursor = page.next;
  } while (cursor !== null);

  expect([count, results.length, next]).toEqual([2, 2, null]);
  expect(names.toSorted()).toEqual(['a.txt', 'b.PDF', 'c.pdf']);
  expect(await (await fetch('/scans', { user: 'ada' })).text()).toBe('scanned');
});
