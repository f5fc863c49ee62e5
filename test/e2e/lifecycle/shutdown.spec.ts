import { Readable } from 'node:stream';
import { Global, Injectable, Module } from '@nestjs/common';
import type { OnApplicationShutdown, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type Repository } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesModule, type FilesModuleOptions, FilesService, TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { FileIntent } from '../../../lib/entry/entities.js';
import { FilesSweeper } from '../../../lib/entry/maintenance.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { memoryStorage } from '../../../lib/testing/index.js';
import { connectionsOf } from '../../support/connections-at-rest.js';
import { reachableDatabases, type TestDatabase } from '../../support/databases.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { gate } from '../../support/gate.js';
import { HeldStorage } from '../../support/held-storage.js';
import { storageWith } from '../../support/storage-with.js';
import { Note } from '../../support/unit-entities.js';

/** Work that no request waits for, as a cron job's. */
@Injectable()
class Job {
  readonly begun = gate();
  readonly end = gate();

  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    readonly queue: TaskQueue,
  ) {}

  @WithTaskQueue()
  async run(late: () => Promise<unknown> = () => this.write('late')): Promise<void> {
    await this.write('early');
    this.begun.open();
    await this.end.opened;
    await late();
  }

  write(id: string): Promise<unknown> {
    return this.notes.insert({ id });
  }
}

/** A part of the application that ends between the library and the data source, such as a client of Redis. */
@Global()
@Module({})
class OtherModule implements OnApplicationShutdown {
  readonly ends = gate();
  readonly end = gate();

  async onApplicationShutdown(): Promise<void> {
    this.ends.open();
    await this.end.opened;
  }
}

const databases = (await reachableDatabases()).filter(({ kind }) => kind !== 'memory');

async function start(kind: TestDatabase, options: Partial<FilesModuleOptions> = {}, others: Type[] = []) {
  const { options: own, drop } = await kind.create();
  onTestFinished(drop);
  const database = { ...own, entities: [Note], synchronize: true };
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
      TypeOrmModule.forFeature([Note]),
      ...others,
      FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false, ...options }),
    ],
    providers: [Job],
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const observer = await new DataSource({ ...own, entities: [Note, FileIntent] }).initialize();
  onTestFinished(() => observer.destroy());
  const saved = async () => (await observer.getRepository(Note).find({ order: { id: 'ASC' } })).map(({ id }) => id);
  const intents = () => observer.getRepository(FileIntent).count();
  const intend = async (locations: readonly string[]) => {
    const now = Date.now();
    const intended = locations.map((location, at) => ({
      id: uuidV7(),
      kind: 'delete' as const,
      storage: 'default',
      location,
      locationKey: locationKey(location),
      createdAt: new Date(now + at),
    }));
    await observer.getRepository(FileIntent).insert(intended);
  };
  const connections = () => connectionsOf(kind.kind, { read: (sql) => observer.query(sql) });
  return { app, job: app.get(Job), saved, intents, intend, connections };
}

async function locationsIn(storage: Storage): Promise<string[]> {
  const found: string[] = [];
  for await (const { location } of storage.list()) found.push(location);
  return found;
}

describe.each(databases)('on $name, app.close()', (kind) => {
  it('waits for a job that no request holds, and lets no other begin', async () => {
    const { app, job, saved } = await start(kind);
    const run = job.run();
    await job.begun.opened;
    const closed = app.close();
    job.end.open();
    await Promise.all([run, closed]);
    expect(await saved()).toEqual(['early', 'late']);
    await expect(job.run()).rejects.toMatchObject({ code: 'FILES_SHUTTING_DOWN' });
  });

  it('rolls a job back that takes longer than `shutdownTimeout`', async () => {
    const { app, job, saved } = await start(kind, { shutdownTimeout: 20 });
    const run = job.run().catch((error: unknown) => error);
    await job.begun.opened;
    await app.close();
    expect(await run).toMatchObject({ code: 'FILES_SHUTTING_DOWN' });
    expect(await saved()).toEqual([]);
  });

  it('refuses what a job writes after it was rolled back, until the data source has ended', async () => {
    const { app, job, saved } = await start(kind, { shutdownTimeout: 20 }, [OtherModule]);
    const other = app.get(OtherModule);
    const outcome = new Promise<unknown>((resolve) => {
      job.run(() => job.write('late').then(resolve, resolve)).catch(() => undefined);
    });
    await job.begun.opened;
    const closed = app.close();
    await other.ends.opened;
    expect(app.get(DataSource).isInitialized).toBe(true);
    job.end.open();
    expect(await outcome).toMatchObject({ code: 'FILES_UNIT_ENDED' });
    expect(await saved()).toEqual([]);
    other.end.open();
    await closed;
    expect(Object.hasOwn(app.get(DataSource), 'createQueryRunner')).toBe(false);
  });

  it('refuses a file that a job creates after it was rolled back, and connects to nothing', async () => {
    const storage = memoryStorage();
    const { app, job, intents, connections } = await start(kind, {
      storages: { default: storage },
      shutdownTimeout: 20,
    });
    const files = app.get(FilesService);
    const outcome = new Promise<unknown>((resolve) => {
      const late = () => files.create(Buffer.from('x'), { name: 'x' }).then(resolve, resolve);
      job.run(late).catch(() => undefined);
    });
    await job.begun.opened;
    await app.close();
    await expect.poll(connections).toBe(0);
    job.end.open();
    expect(await outcome).toMatchObject({ code: 'FILES_SHUTTING_DOWN' });
    expect([await connections(), await intents(), await locationsIn(storage)]).toEqual([0, 0, []]);
  });

  it('waits for bytes that are removed after a commit', async () => {
    const storage = new HeldStorage();
    const { app, intents } = await start(kind, { storages: { default: storage } });
    const files = app.get(FilesService);
    const { id, location } = await files.create(Buffer.from('x'), { name: 'x', owner: null });
    storage.hold();
    await files.delete(id);
    const closed = app.close();
    expect([await intents(), await storage.exists(location)]).toEqual([1, true]);
    storage.release();
    await closed;
    expect([await intents(), await storage.exists(location)]).toEqual([0, false]);
  });

  it('leaves removals to the sweeper that would take longer than `shutdownTimeout`', async () => {
    const storage = new HeldStorage();
    const options = { storages: { default: storage }, shutdownTimeout: 20, concurrentRemovals: 1 };
    const { app, intents } = await start(kind, options);
    const files = app.get(FilesService);
    const made = [1, 2].map((name) => files.create(Buffer.from('x'), { name: `${name}`, owner: null }));
    const [first, second] = await Promise.all(made);
    storage.hold();
    await files.delete(first!.id);
    await files.delete(second!.id);
    const stopped = gate();
    app.get(Transactor).follow(stopped.opened, () => {
      storage.release();
      stopped.open();
    });
    await app.close();
    expect([await intents(), await storage.exists(first!.location)]).toEqual([1, false]);
    expect(await storage.exists(second!.location)).toBe(true);
  });

  it('waits for a sweep whose storage does not answer no longer than for units of work', async () => {
    const storage = new HeldStorage();
    const { app, intents, intend } = await start(kind, { storages: { default: storage }, shutdownTimeout: 20 });
    for (const location of ['a', 'b']) await storage.write(location, Readable.from(['x']));
    await intend(['a', 'b']);
    storage.hold();
    const swept = app.get(FilesSweeper).sweep();
    await storage.underWay(1);
    const stopped = gate();
    app.get(Transactor).follow(stopped.opened, () => {
      storage.release();
      stopped.open();
    });
    await app.close();
    expect(await swept).toMatchObject({ examined: 1, finished: 1, failed: 0 });
    expect([await intents(), await storage.exists('a'), await storage.exists('b')]).toEqual([1, false, true]);
  });

  it('ends the search for leftovers of a storage', async () => {
    const searched = gate();
    const storage = storageWith({
      removeLeftovers: async (_before, signal) => {
        searched.open();
        await new Promise((resolve) => signal!.addEventListener('abort', resolve, { once: true }));
        return { count: 1, size: 7 };
      },
    });
    const { app } = await start(kind, { storages: { default: storage } });
    const swept = app.get(FilesSweeper).sweep();
    await searched.opened;
    await app.close();
    expect(await swept).toMatchObject({ leftovers: 1, bytesRemoved: 7, failed: 0 });
  });
});
