// One round of bulk work, in a process of its own. It also runs in builds that are older than the calls for many files.

import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { DataSourceOptions, Repository } from 'typeorm';
import * as library from '../../lib/index.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';

const { FilesModule, FilesService, ManagedFile, OwnsFiles } = library;
type Maintenance = typeof import('../../lib/entry/maintenance.js');
// Older builds have the sweeper in the root, and move file by file.
const { FilesMover, FilesSweeper } = (await import('../../lib/entry/maintenance.js').catch(() => library)) as Pick<
  Maintenance,
  'FilesSweeper'
> &
  Partial<Pick<Maintenance, 'FilesMover'>>;

const FILE_SIZE = 20 * 1024;
const FILES_PER_CALL = 1_000;
const MEBIBYTE = 1024 * 1024;

/** An owner whose files go with it. */
@Entity('bench_album')
@OwnsFiles('album', { onDelete: 'delete' })
class Album {
  @PrimaryColumn('integer') id!: number;
  @Column('varchar', { length: 20 }) title!: string;
}

/** What is done to the files. */
export type BulkWork = 'register' | 'move' | 'move by copies' | 'delete';

export interface BulkReport {
  readonly seconds: number;
  /** Until the bytes of deleted files are gone, too. */
  readonly secondsToTheEnd: number;
  /** Growth of the resident memory, in MiB. */
  readonly growth: number;
}

/** The calls that an older build has not. */
interface ManyAtOnce {
  registerAll?(files: readonly { location: string; owner: null }[]): Promise<unknown>;
}

const owner = { type: 'album', id: '1' };

async function run(work: BulkWork, count: number, database: DataSourceOptions, root: string): Promise<BulkReport> {
  const storages = { here: fsStorage({ root: join(root, 'here') }), there: fsStorage({ root: join(root, 'there') }) };
  const imports = [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true, synchronize: true }),
    TypeOrmModule.forFeature([Album]),
    FilesModule.forRoot({ storages, defaultStorage: 'here', sweeper: false }),
  ];
  class AppModule {}
  const app = await NestFactory.createApplicationContext({ module: AppModule, imports }, { logger: ['error', 'warn'] });
  const files = app.get(FilesService);
  const albums = app.get<Repository<Album>>(getRepositoryToken(Album));
  const manager = app.get(FilesSweeper);
  await albums.save({ id: 1, title: 'All' });
  // A file of another mode than that of the storage gets no second name there: its bytes are copied, as between two
  // disks.
  const locations = await fill(join(root, 'here'), count, work === 'move by copies' ? 0o644 : 0o600);
  const register = async (wanted: readonly string[]): Promise<void> => {
    const { registerAll } = files as ManyAtOnce;
    if (!registerAll) for (const location of wanted) await files.register(location, { owner: null });
    else
      for (let at = 0; at < wanted.length; at += FILES_PER_CALL) {
        const some = wanted.slice(at, at + FILES_PER_CALL);
        await registerAll.call(
          files,
          some.map((location) => ({ location, owner: null })),
        );
      }
  };
  const rows = app.get<Repository<library.ManagedFile>>(getRepositoryToken(ManagedFile));
  const move = async (): Promise<void> => {
    if (!FilesMover) {
      for (const { id } of await rows.find({ select: { id: true } })) await files.move(id, 'there');
      return;
    }
    for await (const outcome of app.get(FilesMover).run({ from: 'here', to: 'there' }))
      if (outcome.kind === 'failed') throw outcome.error;
  };
  const ways: Record<BulkWork, () => Promise<void>> = {
    register: () => register(locations.slice(10)),
    move,
    'move by copies': move,
    delete: async () => void (await albums.remove(await albums.findOneByOrFail({ id: 1 }))),
  };
  // What is compiled at the first call is not what the work takes.
  await register(locations.slice(0, 10));
  if (work !== 'register') await insertRows(rows, locations.slice(10));
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  const begun = performance.now();
  await ways[work]();
  const seconds = (performance.now() - begun) / 1000;
  await manager.sweep();
  const secondsToTheEnd = (performance.now() - begun) / 1000;
  clearInterval(watch);
  await app.close();
  return { seconds, secondsToTheEnd, growth: (peak - before) / MEBIBYTE };
}

/** Files in directories of a hundred. */
async function fill(root: string, count: number, mode: number): Promise<string[]> {
  const locations: string[] = [];
  for (let at = 0; at < count; at += 100) {
    const directory = String(at / 100);
    await mkdir(join(root, directory), { recursive: true });
    const names = Array.from({ length: Math.min(100, count - at) }, (_, n) => `${directory}/${at + n}.bin`);
    await Promise.all(names.map((name) => writeFile(join(root, name), randomBytes(FILE_SIZE), { mode })));
    locations.push(...names);
  }
  return locations;
}

/** The rows of the files, of the album, as if each had been registered. */
async function insertRows(rows: Repository<library.ManagedFile>, locations: readonly string[]): Promise<void> {
  const { createHash } = await import('node:crypto');
  const { readFile } = await import('node:fs/promises');
  const [pattern] = await rows.find({ take: 1 });
  for (let at = 0; at < locations.length; at += FILES_PER_CALL) {
    const some = await Promise.all(
      locations.slice(at, at + FILES_PER_CALL).map(async (location, n) => {
        const hash = createHash('sha256')
          .update(await readFile(join(ROOT, 'here', location)))
          .digest('hex');
        const locationKey = createHash('sha256').update(location).digest('hex');
        const id = `00000000-0000-7000-8000-${(at + n).toString(16).padStart(12, '0')}`;
        return { ...pattern!, id, location, locationKey, hash, ownerType: owner.type, ownerId: owner.id };
      }),
    );
    await rows.insert(some as object[]);
  }
}

const [, , work, count = '', database = '', ROOT = ''] = process.argv;
process.send?.(await run(work as BulkWork, Number(count), JSON.parse(database) as DataSourceOptions, ROOT));
