import { randomUUID } from 'node:crypto';
import { tracingChannel } from 'node:diagnostics_channel';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Injectable, Module } from '@nestjs/common';
import type { INestApplicationContext, OnApplicationBootstrap, OnApplicationShutdown, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { Column, DataSource, Entity, IsNull, Not, PrimaryGeneratedColumn } from 'typeorm';
import type { DataSourceOptions, MigrationInterface } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileIntent, FILES_ENTITIES, FileUsage, QueuedJob } from '../../../lib/entry/entities.js';
import { FILES_CHANNELS } from '../../../lib/entry/diagnostics.js';
import { FilesAudit } from '../../../lib/entry/maintenance.js';
import { FILES_MIGRATIONS, runMigrations } from '../../../lib/entry/migrations.js';
import { AuditReads } from '../../../lib/audit/audit-reads.js';
import { BatchCreations } from '../../../lib/files/batch-creations.js';
import {
  FileField,
  FileJob,
  FilesModule,
  FilesService,
  ManagedFile,
  OwnsFiles,
  TaskQueue,
} from '../../../lib/index.js';
import { SCAN_JOB } from '../../../lib/files/scan/scan-state.js';
import { bootWithoutWork } from '../../../lib/files/boot-without-work.js';
import { Output } from '../../../lib/cli/output.js';
import { TransferRuntime } from '../../../lib/ownership/transfer-runtime.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { databaseStorage } from '../../../lib/storage/adapters/database.storage.js';
import { StorageRegistry } from '../../../lib/storage/storage-registry.js';
import { locationKey } from '../../../lib/storage/location-key.js';
import { connectionsOf } from '../../support/connections-at-rest.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { GUARDED, Ticket } from '../../support/guarded-entities.js';
import { HELD, holdTimers } from '../../support/held-time.js';
import { deletePast, emptyPast, updatePast } from '../../support/past-the-guard.js';
import { runCli as run } from '../../support/run-cli.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

/** A record from before this library, which has a path. */
@Entity()
@OwnsFiles('scan')
class Scan {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { nullable: true }) path!: string | null;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

const byLocation = (one: Record<string, unknown>, other: Record<string, unknown>): number =>
  byText(String(one['location']), String(other['location']));
const byText = (one: string, other: string): number => one.localeCompare(other);

const thisMonth = (): string => new Date().toISOString().slice(0, 7);

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('the command line on $name', (database) => {
  let empty: EmptyDatabase;
  let directory: string;
  let app: INestApplicationContext;
  let files: FilesService;
  let dataSource: DataSource;
  let module: Type;

  beforeAll(async () => {
    empty = await database.create();
    directory = await mkdtemp(join(tmpdir(), 'files-cli-'));
    @Module({
      imports: [
        TypeOrmModule.forRoot({
          ...empty.options,
          synchronize: true,
          autoLoadEntities: true,
          retryAttempts: 0,
        } as TypeOrmModuleOptions),
        TypeOrmModule.forFeature([...GUARDED, Scan]),
        FilesModule.forRoot({
          storages: {
            default: fsStorage({ root: join(directory, 'default'), maxSize: '1MiB', acceptedTypes: ['text', 'image'] }),
            archive: fsStorage({ root: join(directory, 'archive') }),
            database: databaseStorage(),
          },
          isManager: (actor) => actor?.id === 'admin',
          sweeper: false,
          drafts: { expireAfter: '7d' },
        }),
      ],
    })
    class CommandLineModule {}
    module = CommandLineModule;
    app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    files = app.get(FilesService);
    dataSource = app.get(DataSource);
  });
  beforeEach(async () => {
    await emptyPast(dataSource);
    for (const storage of ['default', 'archive']) {
      for (const entry of await readdir(join(directory, storage))) {
        if (!entry.startsWith('.')) await rm(join(directory, storage, entry), { recursive: true });
      }
    }
  });
  afterAll(async () => {
    await app.close();
    await empty.drop();
    await rm(directory, { recursive: true });
  });

  const create = (text: string, name = 'a.txt', owner = 'ada', storage = 'default') =>
    files.create(Buffer.from(text), { name, storage, owner: { type: 'user', id: owner } });
  const aged = async (storage: string, location: string, bytes: string): Promise<void> => {
    const path = join(directory, storage, location);
    await writeFile(path, bytes);
    const dayBefore = new Date(Date.now() - 2 * 86_400_000);
    await utimes(path, dayBefore, dayBefore);
  };

  /** The default storage removes nothing until the test ends, or restores all mocks. */
  function refuseRemovals(): void {
    const removing = vi.spyOn(app.get(StorageRegistry).get('default'), 'remove');
    removing.mockRejectedValue(new Error('no storage'));
    onTestFinished(() => removing.mockRestore());
  }

  /** As after a crash between the commit of a deletion and the removal of the bytes. */
  async function loseRow(file: ManagedFile): Promise<ManagedFile> {
    const { id, storage, location, locationKey } = file;
    await deletePast(dataSource, ManagedFile, { id });
    const intent = { id: randomUUID(), storage, location, locationKey, kind: 'delete' as const };
    const unleased = { createdAt: new Date(), leaseOwner: null, leaseUntil: null };
    await dataSource.getRepository(FileIntent).insert({ ...intent, ...unleased });
    return file;
  }

  it('lists the files that match, as lines and as JSON', async () => {
    const [one, , big] = [
      await create('one', '50%_a.txt'),
      await create('two', 'b.txt', 'bob'),
      await create('x'.repeat(2_000), 'big.txt'),
    ];

    expect((await run(module, ['ls', '--json'])).results).toHaveLength(3);
    expect((await run(module, ['ls', '--json', '--limit', '2'])).results).toHaveLength(2);
    const { code, results } = await run(module, ['ls', '--owner', 'user:ada', '--name', '%_A', '--json']);
    expect(code).toBe(0);
    expect(results).toMatchObject([{ id: one.id, name: '50%_a.txt', size: 3, storage: 'default' }]);
    const { out } = await run(module, ['ls', '--larger-than', '1kB', '--type', 'text', '--newer-than', '1h']);
    expect(out).toBe(`${big.id}  ${big.createdAt.toISOString()}  2.0 KiB  text/plain  default  user:ada  big.txt\n`);
    expect((await run(module, ['ls', '--older-than', '1h'])).out).toBe('');
    expect((await run(module, ['ls', '--unowned'])).out).toBe('');
  });

  it('shows a file with its history, the records that name it, and who may do what', async () => {
    const { id } = await create('one');
    await app.get(TaskQueue).run(async () => {
      const ticket = await dataSource.getRepository(Ticket).save({ title: 't', attachmentId: id });
      await files.transferOwnership(id, { ownerType: 'ticket', ownerId: String(ticket.id), pin: true });
    });

    const { code, results } = await run(module, ['show', id, '--as', 'user:admin', '--json']);
    expect(code).toBe(0);
    const [ticket] = await dataSource.getRepository(Ticket).find();
    expect(results).toMatchObject([
      {
        id,
        namedBy: [{ entity: 'Ticket', key: { id: ticket?.id }, field: 'attachmentId' }],
        history: [{ action: 'create' }, { action: 'transfer', toType: 'ticket' }],
        access: { read: { allowed: true, rule: 'manager' }, delete: { allowed: true } },
      },
    ]);
    const { out } = await run(module, ['show', id, '--as', 'user:ada']);
    expect(out).toContain(`named by Ticket {"id":${JSON.stringify(ticket?.id)}}, attachmentId`);
    expect(out).toContain('may not read (none)');
  });

  it('writes the bytes of a file, or a range of them', async () => {
    const { id } = await create('0123456789');
    expect(await run(module, ['cat', id])).toMatchObject({ code: 0, out: '0123456789', notes: '' });
    expect(await run(module, ['cat', id, '--range', '2-4'])).toMatchObject({ code: 0, out: '234' });
  });

  it('refuses an id that is of no file', async () => {
    const { code, out, notes } = await run(module, ['cat', randomUUID()]);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(notes).toContain('FILES_FILE_NOT_FOUND');
  });

  it('tells what is in the storages, and checks them', async () => {
    await create('one');
    await create('two', 'b.txt', 'ada', 'archive');
    const { code, results } = await run(module, ['storages', '--check', '--json']);
    expect(results).toMatchObject([
      { storage: 'default', files: 1, bytes: 3, maxSize: 1_048_576, acceptedTypes: ['text', 'image'], ok: true },
      { storage: 'archive', files: 1, bytes: 3, acceptedTypes: null, ok: true },
      { storage: 'database', files: 0, bytes: 0, ok: true },
    ]);
    expect(code).toBe(0);
    expect((await readdir(join(directory, 'archive'))).filter((name) => name.includes('check'))).toEqual([]);
  });

  it('works with many files at once in the application', async () => {
    const locations = ['one.txt', 'two.txt'];
    for (const location of locations) await aged('archive', location, location);
    const ids = [(await create('gone')).id];
    const others = [(await create('kept')).id];
    for (let at = 0; at < locations.length; at += 1000) {
      const some = locations.slice(at, at + 1000).map((location) => ({ location, storage: 'archive', owner: null }));
      await files.registerAll(some, { concurrency: 8 });
    }
    await files.deleteAll(ids, { force: true });
    await files.pin(others);
    const { results } = await run(module, ['ls', '--json']);
    expect(new Set(results.map(({ name }) => name))).toEqual(new Set(['a.txt', 'one.txt', 'two.txt']));
    expect((await files.findOrFail(others[0] ?? '')).pinned).toBe(true);
  });

  it('names files whose storage is not configured, with exit code 1', async () => {
    const { id } = await create('one');
    await updatePast(dataSource, ManagedFile, { id }, { storage: 'gone' });
    const { code, notes } = await run(module, ['storages']);
    expect(code).toBe(1);
    expect(notes).toContain('1 files are in storage "gone", which is not configured');
  });

  it('counts by storage, owner and type', async () => {
    await create('one');
    await create('three', 'c.txt', 'bob');
    await files.create(Buffer.from('four'), { name: 'd.txt', owner: null });
    const { results } = await run(module, ['stats', '--json']);
    expect(results).toEqual([
      { group: 'storage', storage: 'default', files: 3, bytes: 12 },
      { group: 'ownerType', ownerType: 'user', files: 2, bytes: 8 },
      { group: 'ownerType', ownerType: null, files: 1, bytes: 4 },
      { group: 'contentType', contentType: 'text/plain', files: 3, bytes: 12 },
      { group: 'owner', ownerType: 'user', ownerId: 'bob', files: 1, bytes: 5 },
      { group: 'owner', ownerType: null, ownerId: null, files: 1, bytes: 4 },
      { group: 'owner', ownerType: 'user', ownerId: 'ada', files: 1, bytes: 3 },
      { group: 'month', month: thisMonth(), files: 3, bytes: 12, totalFiles: 3, totalBytes: 12 },
    ]);
  });

  it('tells how the files have grown, with the months in which none came', async () => {
    const [first, later] = [await create('one'), await create('three')];
    const at = (date: string) => new Date(date).getTime();
    await updatePast(dataSource, ManagedFile, { id: first.id }, { createdAt: at('2025-11-30T23:59:59.999Z') });
    await updatePast(dataSource, ManagedFile, { id: later.id }, { createdAt: at('2026-01-01T00:00:00Z') });
    const { results } = await run(module, ['stats', '--json']);
    expect(results.filter(({ group }) => group === 'month')).toEqual([
      { group: 'month', month: '2025-11', files: 1, bytes: 3, totalFiles: 1, totalBytes: 3 },
      { group: 'month', month: '2025-12', files: 0, bytes: 0, totalFiles: 1, totalBytes: 3 },
      { group: 'month', month: '2026-01', files: 1, bytes: 5, totalFiles: 2, totalBytes: 8 },
    ]);
    expect((await run(module, ['stats'])).out).toContain('By month:\n  2025-11  1 files  3 bytes  3 bytes in all\n');
  });

  it('writes a page with charts, which loads nothing and shows names as text', async () => {
    await create('one', 'a.txt', '<img src=x onerror=alert(1)>');
    const page = join(directory, 'report.html');
    onTestFinished(() => rm(page));
    expect(await run(module, ['stats', '--html', page])).toMatchObject({ code: 0, notes: '' });
    const html = await readFile(page, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain('user:&lt;img src=x onerror=alert(1)&gt;');
    expect(html).toContain('<title>3 bytes, 1 file</title>');
    expect(html).not.toMatch(/<img|<script|<link|https?:|url\(|@import/);
    const refused = await run(module, ['stats', '--html', join(directory, 'nowhere', 'report.html')]);
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.notes).toContain('--html: ENOENT');
  });

  describe('rebuild-usage', () => {
    const usage = () => dataSource.getRepository(FileUsage);

    it('tells whose recorded usage differs, and counts it again', async () => {
      await create('one');
      await create('two', 'b.txt', 'bob');
      await usage().insert([
        { ownerType: 'user', ownerId: 'ada', bytes: 300, count: 7 },
        { ownerType: 'user', ownerId: 'bob', bytes: 3, count: 1 },
        { ownerType: 'user', ownerId: 'gone', bytes: 5, count: 1 },
      ]);
      const found = [
        { ownerId: 'ada', recorded: { bytes: 300, count: 7 }, counted: { bytes: 3, count: 1 } },
        { ownerId: 'gone', recorded: { bytes: 5, count: 1 }, counted: { bytes: 0, count: 0 } },
      ];
      const dry = await run(module, ['rebuild-usage', '--dry-run', '--json']);
      expect(dry).toMatchObject({ code: 1, results: found });
      expect(await usage().countBy({ ownerId: 'ada', bytes: 300 })).toBe(1);
      const one = await run(module, ['rebuild-usage', '--owner', 'user:gone', '--json']);
      expect(one).toMatchObject({ code: 0, results: [found[1]] });
      expect(await run(module, ['rebuild-usage', '--json'])).toMatchObject({ code: 0, results: [found[0]] });
      expect(await usage().find({ order: { ownerId: 'ASC' } })).toMatchObject([
        { ownerId: 'ada', bytes: 3, count: 1 },
        { ownerId: 'bob', bytes: 3, count: 1 },
        { ownerId: 'gone', bytes: 0, count: 0 },
      ]);
      expect(await run(module, ['rebuild-usage', '--dry-run'])).toMatchObject({ code: 0, out: '' });
    });
  });

  it.each([['--dry-run'], ['--json']])('finds no difference in files that come while it runs, with %s', async (how) => {
    const usage = dataSource.getRepository(FileUsage);
    await create('one');
    await usage.insert([
      { ownerType: 'user', ownerId: 'ada', bytes: 300, count: 7 },
      { ownerType: 'user', ownerId: 'bob', bytes: 0, count: 0 },
    ]);
    const { result } = Output.prototype;
    const telling = vi.spyOn(Output.prototype, 'result');
    onTestFinished(() => telling.mockRestore());
    telling.mockImplementationOnce(async function (this: Output, ...told) {
      await app.get(TaskQueue).run(async () => {
        await create('two', 'b.txt', 'bob');
        await usage.update({ ownerId: 'bob' }, { bytes: 3, count: 1 });
      });
      return result.apply(this, told);
    });
    const { notes } = await run(module, ['rebuild-usage', how]);
    expect(telling.mock.calls.map(([told]) => told)).toMatchObject([{ ownerId: 'ada' }]);
    expect(notes).toContain('1 differed');
  });

  it('runs no job, and leaves jobs to the application', async () => {
    const other = await database.create();
    onTestFinished(() => other.drop());
    const sent: unknown[] = [];
    const isSent = gate();
    @Injectable()
    class Mails {
      @FileJob('mail')
      send(payload: unknown): void {
        sent.push(payload);
        isSent.open();
      }
    }
    const options = { ...other.options, synchronize: true, autoLoadEntities: true, retryAttempts: 0 };
    const storages = { default: fsStorage({ root: join(directory, 'mails'), scan: new ScriptedScanner() }) };
    @Module({
      imports: [
        TypeOrmModule.forRoot(options as TypeOrmModuleOptions),
        FilesModule.forRoot({ storages, sweeper: false }),
      ],
      providers: [Mails],
    })
    class MailModule {}
    const queueing = await bootWithoutWork(() => NestFactory.createApplicationContext(MailModule, { logger: false }));
    const queue = queueing.get(TaskQueue);
    await queue.run(() => queue.enqueue('mail', 'hello'));
    await queueing.get(FilesService).create(Buffer.from('x'), { name: 'x.txt' });
    await queueing.close();
    const source = await new DataSource({ ...other.options, entities: [...FILES_ENTITIES] }).initialize();
    onTestFinished(() => source.destroy());
    const jobs = () => source.getRepository(QueuedJob).find({ order: { id: 'ASC' } });
    for (const argv of [
      ['schema', '--check'],
      ['storages', '--check'],
      ['verify'],
      ['sweep', '--dry-run'],
      ['rescan'],
    ]) {
      expect(await run(MailModule, argv)).toMatchObject({ code: 0 });
      const untried = (await jobs()).filter(({ attempts }) => attempts === 0).map(({ name }) => name);
      expect([argv, sent, untried.slice(0, 2)]).toEqual([argv, [], ['mail', SCAN_JOB]]);
    }

    const working = await NestFactory.createApplicationContext(MailModule, { logger: false });
    await isSent.opened;
    await working.close();
    expect(sent).toEqual(['hello']);
  });

  it.each([
    ['a slow migration', ['schema', '--migrate']],
    ['a slow check', ['verify']],
  ])('leaves the sweep to the application during %s, however soon it is due', async (_, argv) => {
    const passTime = holdTimers();
    const other = await database.create();
    onTestFinished(() => other.drop());
    const tables = { ...other.options, entities: [...FILES_ENTITIES], migrations: [...FILES_MIGRATIONS] };
    const source = await new DataSource(tables as DataSourceOptions).initialize();
    onTestFinished(() => source.destroy());
    await runMigrations(source);
    const { location } = await create('of the other database');
    const swept = { id: randomUUID(), storage: 'default', location, locationKey: locationKey(location) };
    const intent = { ...swept, kind: 'delete' as const, createdAt: new Date(), leaseOwner: null, leaseUntil: null };
    const sweeps: string[] = [];
    const hasSwept = gate();
    const { start, asyncEnd } = tracingChannel(FILES_CHANNELS.sweep);
    const [begun, ended] = [() => void sweeps.push('sweep'), () => hasSwept.open()];
    start.subscribe(begun);
    asyncEnd.subscribe(ended);
    onTestFinished(() => {
      start.unsubscribe(begun);
      asyncEnd.unsubscribe(ended);
    });
    const takeTime = async (): Promise<void> => {
      passTime();
      if (sweeps.length > 0) await hasSwept.opened;
    };
    class Slow9999999999999 implements MigrationInterface {
      readonly transaction = false;
      up = takeTime;
      down = takeTime;
    }
    // A migration meets the marked storage of the database that this one is a copy of.
    const isMigrating = argv[0] === 'schema';
    const storage = fsStorage({ root: join(directory, isMigrating ? 'default' : 'slow') });
    if (!isMigrating) {
      await mkdir(join(directory, 'slow', dirname(location)), { recursive: true });
      await writeFile(join(directory, 'slow', location), 'of the other database');
      vi.spyOn(FilesAudit.prototype, 'count').mockImplementationOnce(() => takeTime().then(() => 0));
    }
    await source.getRepository(FileIntent).insert(intent);
    @Module({
      imports: [
        TypeOrmModule.forRoot({
          ...other.options,
          entities: [...FILES_ENTITIES],
          migrations: [...FILES_MIGRATIONS, Slow9999999999999],
          migrationsTransactionMode: 'each',
          retryAttempts: 0,
        } as TypeOrmModuleOptions),
        FilesModule.forRoot({ storages: { default: storage }, sweeper: { interval: HELD } }),
      ],
    })
    class SlowModule {}

    const { code, notes } = await run(SlowModule, argv);
    expect({ code, notes }).toEqual({ code: 0, notes: expect.any(String) as string });
    const bytes = join(directory, isMigrating ? 'default' : 'slow', location);
    expect(await readFile(bytes, 'utf8')).toBe('of the other database');
    expect(await source.getRepository(FileIntent).count()).toBe(1);
    expect(sweeps).toEqual([]);
  });

  it.each([
    ['whose storage belongs to another database', 'FILES_STORAGE_MARK_MISMATCHED', ['ticker']],
    ['whose provider fails', 'not today', ['ticker']],
    ['whose data source lacks entities', 'FILES_ENTITIES_MISSING', []],
  ])('closes an application %s, and answers 3', async (_, reason, stopped) => {
    const other = await database.create();
    onTestFinished(() => other.drop());
    const observer = await new DataSource({ ...other.options, entities: [] } as DataSourceOptions).initialize();
    onTestFinished(() => observer.destroy());
    const ended: string[] = [];
    @Injectable()
    class Ticker implements OnApplicationBootstrap, OnApplicationShutdown {
      onApplicationBootstrap(): void {
        throw new Error('not today');
      }

      onApplicationShutdown(): void {
        ended.push('ticker');
      }
    }
    const autoLoadEntities = reason !== 'FILES_ENTITIES_MISSING';
    const root = join(directory, reason === 'FILES_STORAGE_MARK_MISMATCHED' ? 'default' : 'unbooted');
    const options = { ...other.options, synchronize: true, autoLoadEntities, retryAttempts: 0 };
    @Module({
      imports: [
        TypeOrmModule.forRoot(options as TypeOrmModuleOptions),
        FilesModule.forRoot({ storages: { default: fsStorage({ root }) }, sweeper: false }),
      ],
      providers: [Ticker],
    })
    class RefusedModule {}
    const { code, notes } = await run(RefusedModule, ['storages', '--check']);
    expect({ code, notes }).toEqual({ code: 3, notes: expect.stringContaining(reason) as string });
    expect(ended).toEqual(stopped);
    await expect.poll(() => connectionsOf(database.kind, { read: (sql) => observer.query(sql) })).toBe(0);
    expect(TransferRuntime.only().dataSource).toBe(dataSource);
  });

  describe('schema', () => {
    it('prints the statements that create the tables, and changes nothing', async () => {
      const { code, out, results } = await run(module, ['schema', '--json']);
      expect(code).toBe(0);
      const tables = results.flatMap(({ sql }) => /^CREATE TABLE \S*?(files_\w+)/.exec(String(sql))?.[1] ?? []);
      const expected = FILES_ENTITIES.map((entity) => dataSource.getMetadata(entity).tableName);
      expect(tables.toSorted()).toEqual(expected.toSorted());
      expect(out).not.toMatch(/CREATE TABLE \S*(?:scan|ticket)/);
    });

    it('finds nothing where the tables are as they have to be', async () => {
      const notes = 'The tables are as they have to be\n';
      expect(await run(module, ['schema', '--check'])).toEqual({ code: 0, out: '', notes, results: [] });
    });

    it('refuses to migrate without the migrations of the library', async () => {
      const { code, notes } = await run(module, ['schema', '--migrate']);
      expect(code).toBe(2);
      expect(notes).toContain("Add the library's: migrations: [...FILES_MIGRATIONS, …].");
    });

    it('creates the tables of an empty database, and says what is missing in an older one', async () => {
      const other = await database.create();
      onTestFinished(() => other.drop());
      const options = { ...other.options, migrations: [...FILES_MIGRATIONS], retryAttempts: 0 };
      const storages = { default: fsStorage({ root: join(directory, 'migrated') }) };
      @Module({
        imports: [
          TypeOrmModule.forRoot({ ...options, autoLoadEntities: true } as TypeOrmModuleOptions),
          FilesModule.forRoot({ storages, sweeper: false }),
        ],
      })
      class EmptyModule {}
      const before = await run(EmptyModule, ['schema', '--check']);
      expect(before.code).toBe(1);
      expect(before.out).toContain('files_transfer');
      expect(before.out).not.toContain('ticket');
      const dry = await run(EmptyModule, ['schema', '--migrate', '--dry-run', '--json']);
      expect(dry).toMatchObject({ code: 0, notes: `${FILES_MIGRATIONS.length} migrations would be run\n` });
      expect(dry.results[0]).toEqual({
        migration: expect.stringContaining('CreateFilesTables') as string,
        pending: true,
      });
      expect(await run(EmptyModule, ['schema', '--check'])).toMatchObject({ code: 1, out: before.out });
      const done = await run(EmptyModule, ['schema', '--migrate', '--json']);
      expect(done.results).toHaveLength(FILES_MIGRATIONS.length);
      expect(await run(EmptyModule, ['schema', '--check'])).toMatchObject({ code: 0, out: '' });
      expect(await run(EmptyModule, ['schema', '--migrate', '--dry-run'])).toMatchObject({
        notes: '0 migrations would be run\n',
      });
      expect(await run(EmptyModule, ['ls'])).toMatchObject({ code: 0, out: '' });
      const source = await new DataSource({ ...other.options, entities: [] } as DataSourceOptions).initialize();
      await source.query('CREATE INDEX ix_of_the_application ON files_file (name)');
      expect(await run(EmptyModule, ['schema', '--check'])).toMatchObject({ code: 0, out: '' });
      await source.query('ALTER TABLE files_file DROP COLUMN charset');
      await source.destroy();
      const older = await run(EmptyModule, ['schema', '--check']);
      expect(older.code).toBe(1);
      expect(older.out).toContain('charset');
    });

    it.each([[['--check', '--migrate']], [['--dry-run']]])('refuses %j', async (wrong) => {
      expect(await run(module, ['schema', ...wrong])).toMatchObject({ code: 2, out: '' });
    });
  });

  describe('copy', () => {
    const argv = ['copy', '--from', 'default', '--to', 'archive'];

    it('copies the bytes that are missing, and its copies are no orphans', async () => {
      const [one] = [await create('one'), await create('two')];
      expect(await run(module, [...argv, '--dry-run'])).toMatchObject({
        out: '2 files would be copied from default to archive\n',
      });
      expect(await run(module, [...argv, '--rate', '20MB'])).toMatchObject({ code: 0, out: '' });
      expect(await readFile(join(directory, 'archive', one.location), 'utf8')).toBe('one');
      expect((await run(module, [...argv, '--deep'])).notes).toContain('0 copied, 2 were there already, 0 failed');
      expect((await files.findOrFail(one.id)).storage).toBe('default');
      expect(await run(module, ['orphans', '--older-than', '0s'])).toMatchObject({ code: 0, out: '' });
      await files.delete(one.id);
      const left = await run(module, ['orphans', '--older-than', '0s', '--json']);
      expect(left.results).toMatchObject([{ storage: 'archive', location: one.location }]);
    });

    it('answers 1, and names what could not be copied', async () => {
      const [one] = [await create('one'), await create('two')];
      await rm(join(directory, 'default', one.location));
      const { code, results } = await run(module, [...argv, '--json']);
      expect(code).toBe(1);
      expect(results).toMatchObject([{ kind: 'failed', id: one.id }]);
    });

    it('ends when it is interrupted, and goes on when it is run again', async () => {
      await create('one');
      const { code, notes } = await run(module, argv, AbortSignal.abort());
      expect(code).toBe(3);
      expect(notes).toContain('Interrupted. Run the same command again to go on.');
      expect(await run(module, argv)).toMatchObject({ code: 0 });
    });

    it.each([[['--rate', 'fast']], [['--rate', '0']], [['--concurrency', '0']]])('refuses %j', async (wrong) => {
      expect(await run(module, [...argv, ...wrong])).toMatchObject({ code: 2, out: '' });
    });
  });

  describe('--dry-run', () => {
    const between = (command: string, from: string, to: string) => [command, '--from', from, '--to', to];

    /** The files of the module, with an archive that takes none. */
    async function sealed(): Promise<Type> {
      const storages = {
        default: fsStorage({ root: join(directory, 'default') }),
        archive: fsStorage({ root: join(directory, 'archive'), disable: ['write', 'remove'] }),
      };
      @Module({
        imports: [
          TypeOrmModule.forRoot({ ...empty.options, autoLoadEntities: true, retryAttempts: 0 } as TypeOrmModuleOptions),
          FilesModule.forRoot({ storages, sweeper: false }),
        ],
      })
      class SealedModule {}
      return SealedModule;
    }

    const lose = async () => rm(join(directory, 'default', (await create('one')).location));
    const folder = async (name: string): Promise<string> => {
      const path = await mkdtemp(join(tmpdir(), 'files-dry-'));
      onTestFinished(() => rm(path, { recursive: true }));
      await writeFile(join(path, name), 'x'.repeat(2 ** 20 + (name === 'big.txt' ? 1 : 0)));
      return path;
    };

    it.each<[string, 0 | 1 | 2, () => Promise<string[]>, (() => Promise<Type>)?]>([
      ['moves to the same storage', 2, async () => between('move', 'default', 'default')],
      ['copies to the same storage', 2, async () => between('copy', 'default', 'default')],
      ['moves to a storage that cannot write', 2, async () => between('move', 'default', 'archive'), sealed],
      ['copies to a storage that cannot write', 2, async () => between('copy', 'default', 'archive'), sealed],
      ['copies without a file', 0, async () => between('copy', 'default', 'archive')],
      ['copies what has no bytes', 1, () => lose().then(() => between('copy', 'default', 'archive'))],
      ['imports a file', 0, async () => ['import', await folder('a.txt')]],
      ['imports a file that is too large', 1, async () => ['import', await folder('big.txt')]],
      [
        'imports to a location that is taken',
        1,
        async () => aged('default', 'a.txt', 'other').then(async () => ['import', await folder('a.txt')]),
      ],
      [
        'imports a list without the bytes',
        1,
        async () => {
          const list = join(await folder('x'), 'list.jsonl');
          await writeFile(list, JSON.stringify({ location: 'nowhere.txt' }));
          return ['import', '--list', list, '--storage', 'archive'];
        },
      ],
    ])('answers as the run itself does that %s: with %i', async (_, code, prepare, other) => {
      const argv = await prepare();
      const [of, before] = [(await other?.()) ?? module, await files.search()];
      const dry = await run(of, [...argv, '--dry-run']);
      expect({ code: dry.code, notes: dry.notes }).toEqual({ code, notes: expect.any(String) as string });
      if (code === 2) expect(dry.out).toBe('');
      expect(await files.search()).toEqual(before);
      expect((await run(of, argv)).code).toBe(code);
    });

    it('counts only the copies that are missing', async () => {
      const argv = between('copy', 'default', 'archive');
      await create('one');
      await run(module, argv);
      const { location } = await create('two');
      expect((await run(module, [...argv, '--dry-run', '--json'])).results).toMatchObject([{ files: 1 }]);
      expect(await readdir(join(directory, 'archive'), { recursive: true })).not.toContain(location);
    });

    it('says of sweep and expire where there is more than it tells', async () => {
      const owner = { type: 'user', id: 'ada' };
      for (const name of ['a.txt', 'b.txt']) await files.create(Buffer.from(name), { name, owner, draft: true });
      await dataSource.getRepository(ManagedFile).update({ ownerId: 'ada' }, { expiresAt: new Date('2026-01-02') });
      for (const command of ['expire', 'sweep']) {
        const limited = await run(module, [command, '--dry-run', '--limit', '1']);
        expect(limited.out.trim().split('\n')).toHaveLength(1);
        expect(limited.notes).toContain('There are more than 1.');
        expect((await run(module, [command, '--dry-run', '--limit', '2'])).notes).toBe('');
      }
    });
  });

  describe('verify', () => {
    it('answers 0 where nothing is wrong', async () => {
      await create('one');
      const { notes, ...rest } = await run(module, ['verify', '--deep', '--concurrency', '2']);
      expect(rest).toEqual({ code: 0, out: '', results: [] });
      expect(notes).toMatch(/^checked \d+ in \d+\.\d s\n0 found\n$/);
    });

    it('answers 1, and tells what is wrong', async () => {
      const { id, location } = await create('one');
      await rm(join(directory, 'default', location));
      const { code, results } = await run(module, ['verify', '--json']);
      expect(code).toBe(1);
      expect(results).toEqual([{ kind: 'missing-bytes', fileId: id, storage: 'default', location }]);
      expect(await run(module, ['verify', '--no-bytes'])).toMatchObject({ code: 0 });
    });

    it('unpins files that no record names, unless it is a dry run', async () => {
      const { id } = await create('one');
      const ticket = await dataSource.getRepository(Ticket).save({ title: 't' });
      await files.transferOwnership(id, { ownerType: 'ticket', ownerId: String(ticket.id), pin: true });

      const dry = await run(module, ['verify', '--fix', 'unnamed-file', '--dry-run', '--json']);
      expect(dry).toMatchObject({ code: 1, results: [{ kind: 'unnamed-file', fileId: id, fixed: false }] });
      expect((await files.findOrFail(id)).pinned).toBe(true);
      const fixed = await run(module, ['verify', '--fix', 'unnamed-file', '--json']);
      expect(fixed).toMatchObject({ code: 0, results: [{ fixed: true }] });
      expect((await files.findOrFail(id)).pinned).toBe(false);
      expect(await run(module, ['verify'])).toMatchObject({ code: 0, out: '' });
    });

    /** A file that is pinned for a ticket that does not name it, and the ticket. */
    async function unnamed(): Promise<{ id: string; name: () => Promise<void>; isPinned: () => Promise<boolean> }> {
      const { id } = await create('one');
      const ticket = await dataSource.getRepository(Ticket).save({ title: 't' });
      const owner = { ownerType: 'ticket', ownerId: String(ticket.id), pin: true };
      await files.transferOwnership(id, owner);
      const name = () =>
        app.get(TaskQueue).run(async () => {
          await dataSource.getRepository(Ticket).update(ticket.id, { attachmentId: id });
          await files.transferOwnership(id, owner);
        });
      return { id, name, isPinned: async () => (await files.findOrFail(id)).pinned };
    }

    const fixing = ['verify', '--fix', 'unnamed-file', '--json'];

    it('leaves the pin of a file that a record names since it was judged', async () => {
      const { id, name, isPinned } = await unnamed();
      const other = await unnamed();
      const { atOnce } = AuditReads.prototype;
      const judging = vi.spyOn(AuditReads.prototype, 'atOnce');
      onTestFinished(() => judging.mockRestore());
      judging.mockImplementationOnce(async function (this: AuditReads, read) {
        const judged = await atOnce.call(this, read);
        await name();
        return judged;
      });

      const { code, results } = await run(module, fixing);
      expect({ code, ids: results.map(({ fileId }) => fileId) }).toEqual({ code: 0, ids: [other.id] });
      expect([await isPinned(), await other.isPinned()]).toEqual([true, false]);
      expect(await run(module, ['verify', '--json'])).toMatchObject({ code: 0, results: [] });
      expect((await files.findOrFail(id)).ownerType).toBe('ticket');
    });

    it('fixes and tells what it has found before it is interrupted', async () => {
      const { id, isPinned } = await unnamed();
      const interrupt = new AbortController();
      const storage = app.get(StorageRegistry).get('default');
      const stat = storage.stat.bind(storage);
      const looking = vi.spyOn(storage, 'stat').mockImplementationOnce((location) => {
        interrupt.abort();
        return stat(location);
      });
      onTestFinished(() => looking.mockRestore());
      const { code, results } = await run(module, fixing, interrupt.signal);
      expect({ code, results }).toMatchObject({ code: 3, results: [{ fileId: id, fixed: true }] });
      expect(await isPinned()).toBe(false);
    });

    it('tells what it has found where it cannot be fixed, and answers 3', async () => {
      const { id, isPinned } = await unnamed();
      const unpin = vi.spyOn(FilesService.prototype, 'unpin').mockRejectedValueOnce(new Error('no database'));
      onTestFinished(() => unpin.mockRestore());
      const { code, results } = await run(module, fixing);
      expect({ code, results }).toEqual({ code: 3, results: [expect.objectContaining({ fileId: id })] });
      expect(results[0]).not.toHaveProperty('fixed');
      expect(await isPinned()).toBe(true);
    });

    it('fixes nothing that has no safe answer', async () => {
      expect(await run(module, ['verify', '--fix', 'missing-bytes'])).toMatchObject({ code: 2, out: '' });
    });
  });

  describe('orphans', () => {
    it('finds bytes without a file, those of the last day left out', async () => {
      await create('one');
      await aged('default', 'old.txt', 'old');
      await writeFile(join(directory, 'default', 'new.txt'), 'new');

      const { code, results, notes } = await run(module, ['orphans', '--json']);
      expect(code).toBe(1);
      expect(results).toMatchObject([{ storage: 'default', location: 'old.txt', size: 3 }]);
      expect(notes).toMatch(/^looked at \d+ in \d+\.\d s\n1 found, 3 bytes\n$/);
      const all = await run(module, ['orphans', '--storage', 'default', '--older-than', '0s', '--json']);
      expect(new Set(all.results.map(({ location }) => location))).toEqual(new Set(['new.txt', 'old.txt']));
      expect(await run(module, ['orphans', '--storage', 'archive'])).toMatchObject({ code: 0, out: '' });
    });

    it('tells what it has found before it is interrupted', async () => {
      await aged('default', 'lost.txt', 'lost');
      const interrupt = new AbortController();
      const archive = app.get(StorageRegistry).get('archive');
      const list = archive.list.bind(archive);
      const listing = vi.spyOn(archive, 'list').mockImplementationOnce((...terms) => {
        interrupt.abort();
        return list(...terms);
      });
      onTestFinished(() => listing.mockRestore());
      const { code, results } = await run(module, ['orphans', '--json'], interrupt.signal);
      expect({ code, results }).toMatchObject({ code: 3, results: [{ location: 'lost.txt' }] });
    });

    it('leaves out bytes that the sweeper knows of', async () => {
      await loseRow(await create('one'));
      expect(await run(module, ['orphans', '--older-than', '0s'])).toMatchObject({ code: 0, out: '' });
    });

    it('refuses to adopt and to delete at once', async () => {
      expect(await run(module, ['orphans', '--adopt', '--delete'])).toMatchObject({ code: 2, out: '' });
    });

    it.each([[['--delete']], [['--adopt']], [['--delete', '--dry-run']]])(
      'refuses %j in all storages, and spares the copies of deleted files in a backup',
      async (what) => {
        const { id, location } = await create('one');
        await run(module, ['copy', '--from', 'default', '--to', 'archive']);
        await files.delete(id);
        const { code, out, notes } = await run(module, ['orphans', '--older-than', '0s', ...what]);
        expect({ code, out }).toEqual({ code: 2, out: '' });
        expect(notes).toContain('Give --storage with --adopt or --delete, one of default, archive, database: ');
        expect(await readFile(join(directory, 'archive', location), 'utf8')).toBe('one');
        expect(await files.search()).toMatchObject({ count: 0 });
      },
    );

    it('deletes them, and nothing that is a file', async () => {
      const { id } = await create('one');
      await aged('default', 'old.txt', 'old');
      expect(await run(module, ['orphans', '--storage', 'default', '--delete', '--dry-run'])).toMatchObject({
        code: 1,
      });
      expect(await readdir(join(directory, 'default'))).toContain('old.txt');

      expect(await run(module, ['orphans', '--storage', 'default', '--delete'])).toMatchObject({ code: 0 });
      expect(await readdir(join(directory, 'default'))).not.toContain('old.txt');
      expect(await run(module, ['cat', id])).toMatchObject({ code: 0, out: 'one' });
    });

    it('makes files of them, for an owner', async () => {
      await aged('archive', 'old.txt', 'old');
      expect(await run(module, ['orphans', '--storage', 'archive', '--adopt', '--owner', 'user:42'])).toMatchObject({
        code: 0,
      });
      const { results } = await files.search({ filters: { owner: { type: 'user', id: '42' } } });
      expect(results).toMatchObject([{ name: 'old.txt', storage: 'archive', location: 'old.txt', size: 3 }]);
      expect(await run(module, ['orphans'])).toMatchObject({ code: 0 });
    });

    it('tells which bytes cannot become files, and goes on', async () => {
      await aged('default', 'junk.bin', '\u0000\u0001\u0002');
      await aged('default', 'text.txt', 'text');
      const { code, results } = await run(module, ['orphans', '--storage', 'default', '--adopt', '--json']);
      expect(code).toBe(1);
      expect(
        results.toSorted((one, other) => (String(one['location']) < String(other['location']) ? -1 : 1)),
      ).toMatchObject([
        { location: 'junk.bin', done: false, problem: expect.stringContaining('application/octet-stream') as string },
        { location: 'text.txt', done: true },
      ]);
    });
  });

  describe('move', () => {
    it('moves what matches, after a dry run that does not', async () => {
      const [one, two] = [await create('one'), await create('two', 'b.txt', 'bob')];
      const which = ['move', '--from', 'default', '--to', 'archive', '--owner', 'user:ada'];
      const dry = await run(module, [...which, '--dry-run']);
      expect(dry).toMatchObject({ code: 0, out: '1 files would be moved from default to archive\n' });
      expect((await files.findOrFail(one.id)).storage).toBe('default');

      const { code, out, notes } = await run(module, which);
      expect({ code, out }).toEqual({ code: 0, out: '' });
      expect(notes).toMatch(/^moved 1 in \d+\.\d s\n$/);
      expect((await files.findOrFail(one.id)).storage).toBe('archive');
      expect((await files.findOrFail(two.id)).storage).toBe('default');
      expect(await run(module, ['cat', one.id])).toMatchObject({ out: 'one' });
    });

    it('answers 1, and names what could not be moved', async () => {
      const [one, two] = [await create('one'), await create('two')];
      await rm(join(directory, 'default', one.location));
      const { code, results } = await run(module, ['move', '--from', 'default', '--to', 'archive', '--json']);
      expect(code).toBe(1);
      expect(results).toMatchObject([{ kind: 'failed', id: one.id }]);
      expect((await files.findOrFail(two.id)).storage).toBe('archive');
    });

    it('ends after the files at hand when it is interrupted, and goes on when it is run again', async () => {
      for (let n = 0; n < 6; n++) await create(`file ${n}`);
      const stop = new AbortController();
      stop.abort();
      const argv = ['move', '--from', 'default', '--to', 'archive', '--concurrency', '1'];
      const { code, notes } = await run(module, argv, stop.signal);
      expect(code).toBe(3);
      expect(notes).toContain('Interrupted. Run the same command again to go on.');
      expect((await files.search({ filters: { storage: 'default' } })).count).toBeGreaterThan(0);

      expect(await run(module, argv)).toMatchObject({ code: 0 });
      expect((await files.search({ filters: { storage: 'default' } })).count).toBe(0);
    });
  });

  it.each([
    ['ls'],
    ['storages'],
    ['verify'],
    ['orphans', '--storage', 'default', '--delete'],
    ['sweep'],
    ['expire'],
    ['cat'],
  ])('ends %s with exit code 3 when it is interrupted', async (...command) => {
    const { location } = await loseRow(await create('one'));
    const ids = command[0] === 'cat' ? [(await create('two')).id] : [];
    const { code, notes } = await run(module, [...command, ...ids], AbortSignal.abort());
    expect(code).toBe(3);
    expect(notes).toMatch(/^(?:[a-z ]+ \d+ in \d+\.\d s\n)?Interrupted\.\n$/);
    expect(await dataSource.getRepository(FileIntent).countBy({ location })).toBe(1);
  });

  it('refuses to scan a storage without a scanner', async () => {
    const { code, out, notes } = await run(module, ['rescan', '--storage', 'archive']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(notes).toContain('--storage is "archive", which has no scanner.');
  });

  it('sweeps what a crash has left, and tells of it before', async () => {
    const { location } = await loseRow(await create('one'));

    expect((await run(module, ['sweep', '--dry-run', '--json'])).results).toMatchObject([
      { location, outcome: 'remove' },
    ]);
    const { code, results, notes } = await run(module, ['sweep', '--json']);
    expect(code).toBe(0);
    expect(notes).toMatch(/^swept 1 in \d+\.\d s\n$/);
    expect(results).toMatchObject([{ finished: 1, kept: 0, failed: 0, bytesRemoved: 3 }]);
  });

  it('deletes uploads that nobody has attached in time, and lists them before', async () => {
    const owner = { type: 'user', id: 'ada' };
    const { id } = await files.create(Buffer.from('one'), { name: 'a.txt', owner, draft: true });
    const { id: kept } = await create('two');
    const { id: fresh } = await files.create(Buffer.from('three'), { name: 'b.txt', owner, draft: true });
    const expiresAt = new Date('2026-01-02');
    await dataSource.getRepository(ManagedFile).update({ id }, { expiresAt });

    const { code, results } = await run(module, ['expire', '--dry-run', '--json']);
    expect([code, results]).toMatchObject([0, [{ id, expiresAt: expiresAt.toJSON() }]]);
    expect((await run(module, ['expire', '--dry-run'])).out).toContain(`${id}  user:ada  3 bytes  expired 2026-01-02`);
    const expired = await run(module, ['expire', '--json']);
    expect(expired.results).toEqual([{ expired: 1, bytes: 3, kept: 0, left: 0 }]);
    expect(expired.notes).toMatch(/^expired 1 in \d+\.\d s\n$/);
    expect((await files.findMany([id, kept, fresh])).map((file) => file.id)).toEqual([kept, fresh]);
    expect(await run(module, ['expire'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('0 deleted') as string,
    });
  });

  it('answers 1 where the bytes of expired uploads are still there', async () => {
    const owner = { type: 'user', id: 'ada' };
    const { id, location } = await files.create(Buffer.from('one'), { name: 'a.txt', owner, draft: true });
    await dataSource.getRepository(ManagedFile).update({ id }, { expiresAt: new Date('2026-01-02') });
    refuseRemovals();
    const { code, results } = await run(module, ['expire', '--json']);
    expect([code, results]).toEqual([1, [{ expired: 1, bytes: 3, kept: 0, left: 1 }]]);
    expect(await readFile(join(directory, 'default', location), 'utf8')).toBe('one');
  });

  describe('import', () => {
    const argv = ['import', '--from-column', 'Scan.path', '--field', 'fileId'];
    const scans = () => dataSource.getRepository(Scan);

    it('copies files from a directory, and gives each to its record in one commit', async () => {
      const old = await mkdtemp(join(tmpdir(), 'files-cli-old-'));
      onTestFinished(() => rm(old, { recursive: true }));
      await mkdir(join(old, 'a'));
      await writeFile(join(old, 'a', 'one.txt'), 'one');
      await writeFile(join(old, 'two.txt'), 'two');
      await scans().insert([{ path: 'a/one.txt' }, { path: 'two.txt' }, { path: null }, { path: 'gone.txt' }]);
      await scans().insert({ path: '../outside.txt' });

      const dry = await run(module, [...argv, old, '--dry-run']);
      expect(dry).toMatchObject({ code: 0, out: '4 records would get a file\n' });
      expect(await scans().countBy({ fileId: Not(IsNull()) })).toBe(0);
      const { code, results, notes } = await run(module, [...argv, old, '--json']);
      expect(code).toBe(1);
      expect(results).toMatchObject([
        { path: 'gone.txt', problem: expect.stringContaining('ENOENT') as string },
        { path: '../outside.txt', problem: expect.stringContaining('leads out of') as string },
      ]);
      expect(notes).toContain('imported 2 in');
      const [one, two, ...others] = await scans().find({ order: { id: 'ASC' } });
      expect(others.map(({ fileId }) => fileId)).toEqual([null, null, null]);
      const owner = { ownerType: 'scan', ownerId: String(one?.id), pinned: true };
      expect(await files.findOrFail(one?.fileId ?? '')).toMatchObject({ name: 'one.txt', size: 3, ...owner });
      expect(await text(await files.stream(two?.fileId ?? ''))).toBe('two');
      expect(await run(module, ['verify'])).toMatchObject({ code: 0 });
      expect(await run(module, ['orphans', '--older-than', '0s'])).toMatchObject({ code: 0 });

      await writeFile(join(old, 'gone.txt'), 'found');
      await scans().update({ path: '../outside.txt' }, { path: null });
      expect(await run(module, [...argv, old])).toMatchObject({ code: 0, out: '' });
      expect(await files.search()).toMatchObject({ count: 3 });
    });

    it('leaves alone a record whose path was changed since it was read', async () => {
      const old = await mkdtemp(join(tmpdir(), 'files-cli-old-'));
      onTestFinished(() => rm(old, { recursive: true }));
      await writeFile(join(old, '..a.txt'), 'one');
      await scans().insert([{ path: '..a.txt' }, { path: '..a.txt' }]);
      const [first] = await scans().find({ order: { id: 'ASC' } });
      const unit = vi.spyOn(TaskQueue.prototype, 'run').mockImplementationOnce(async function (
        this: TaskQueue,
        ...work: unknown[]
      ) {
        unit.mockRestore();
        await scans().update({ id: first?.id ?? 0 }, { path: 'other.txt' });
        return this.run(...(work as Parameters<TaskQueue['run']>));
      });
      const { code, results } = await run(module, [...argv, old, '--json']);
      expect(code).toBe(1);
      expect(results).toMatchObject([
        { path: '..a.txt', problem: 'the path or the field was changed, or the record was removed, in the meantime' },
      ]);
      expect(await scans().find({ order: { id: 'ASC' } })).toMatchObject([
        { path: 'other.txt', fileId: null },
        { path: '..a.txt', fileId: expect.any(String) as string },
      ]);
      expect(await files.search()).toMatchObject({ count: 1 });
    });

    it('makes files of bytes that are in the storage already', async () => {
      await aged('archive', 'there.txt', 'there');
      await scans().insert({ path: 'there.txt' });
      expect(await run(module, [...argv, '--storage', 'archive'])).toMatchObject({ code: 0 });
      const [scan] = await scans().find();
      const file = await files.findOrFail(scan?.fileId ?? '');
      expect(file).toMatchObject({ storage: 'archive', location: 'there.txt', ownerType: 'scan' });
    });

    it.each([
      [['--from-column', 'Nothing.path'], '--from-column: "Nothing" is not a class with a @FileField(). Available:'],
      [['--from-column', 'Scan.nothing'], '--from-column: Scan has no property "nothing".'],
      [['--from-column', 'Scan'], 'must be a class and a property, such as Package.path.'],
      [
        ['--field', 'path'],
        '--field: "path" of Scan is not a @FileField() with one id and no relation. Available: fileId.',
      ],
      [['--from-column', 'Ticket.title', '--field', 'imageIds'], 'no relation. Available: attachmentId, coverId.'],
      [['--from-column', 'Letter.path', '--field', 'attachmentId'], 'no relation. Available: none.'],
      [[], 'Give the DIR of the paths, or --storage'],
      [['--owner', 'user:ada'], '--from-column and --owner cannot be combined.'],
      [['--batch', '1001'], '--batch is 1001, and must be at most 1000.'],
      [['--storage', 'nowhere'], 'nowhere'],
    ])('refuses %j', async (wrong, problem) => {
      const isReplaced = (word = ''): boolean => word.startsWith('--') && wrong.includes(word);
      const others = argv.filter((word, at) => !isReplaced(word) && !isReplaced(argv[at - 1]));
      const { code, notes } = await run(module, [...others, ...wrong]);
      expect(code).toBe(2);
      expect(notes).toContain(problem);
    });
  });

  describe('import DIR', () => {
    /** A directory with these files, given by path and text. */
    async function old(texts: Record<string, string>): Promise<string> {
      const path = await mkdtemp(join(tmpdir(), 'files-cli-old-'));
      onTestFinished(() => rm(path, { recursive: true }));
      for (const [name, content] of Object.entries(texts)) {
        await mkdir(join(path, dirname(name)), { recursive: true });
        await writeFile(join(path, name), content);
      }
      return path;
    }
    const all = async () => (await files.search({ sort: 'location' })).results;

    it('copies the files below a directory to the same locations, and goes on when it is run again', async () => {
      const path = await old({ 'one.txt': 'one', 'a/b/two.txt': 'two' });
      const argv = ['import', path, '--storage', 'archive', '--owner', 'user:ada', '--json'];
      const dry = await run(module, [...argv, '--dry-run']);
      expect(dry).toMatchObject({
        code: 0,
        results: [
          { id: null, new: true },
          { id: null, new: true },
        ],
      });
      expect(await all()).toEqual([]);
      const { code, results, notes } = await run(module, argv);
      expect(code, notes).toBe(0);
      expect(await all()).toMatchObject([
        { location: 'a/b/two.txt', name: 'two.txt', contentType: 'text/plain', size: 3, ownerId: 'ada', pinned: false },
        { location: 'one.txt', name: 'one.txt', storage: 'archive', ownerType: 'user', ownerId: 'ada' },
      ]);
      expect(
        await text(await files.stream(String(results.find(({ location }) => location === 'one.txt')?.['id']))),
      ).toBe('one');

      await writeFile(join(path, 'three.txt'), 'three');
      const again = await run(module, argv);
      expect(again.results.toSorted(byLocation)).toEqual(
        [
          ...results.map((result) => ({ ...result, new: false })),
          { id: expect.any(String) as string, location: 'three.txt', new: true },
        ].toSorted(byLocation),
      );
      expect(await all()).toHaveLength(3);
      expect(await run(module, ['verify', '--deep'])).toMatchObject({ code: 0 });
      expect(await run(module, ['orphans', '--older-than', '0s'])).toMatchObject({ code: 0 });
    });

    it('takes the storage of the module, and owners from the names of folders', async () => {
      const path = await old({ 'ada/a.txt': 'a', 'bob/c/b.txt': 'b', 'c.txt': 'c' });
      expect(await run(module, ['import', path, '--owner-by-folder', 'user'])).toMatchObject({ code: 0 });
      expect((await all()).map(({ storage, location, ownerId }) => [storage, location, ownerId])).toEqual([
        ['default', 'ada/a.txt', 'ada'],
        ['default', 'bob/c/b.txt', 'bob'],
        ['default', 'c.txt', null],
      ]);
    });

    it('answers 1, names what makes no file, leaves alone the bytes of others, and imports the rest', async () => {
      await aged('default', 'taken.txt', 'of another');
      const path = await old({ 'taken.txt': 'mine', 'a.txt': 'a', 'b.pdf': '%PDF-1.7', 'z.txt': 'z' });
      const { code, results } = await run(module, ['import', path, '--json']);
      expect(code).toBe(1);
      const problems = Object.fromEntries(results.map(({ location, problem }) => [location, problem]));
      expect(problems).toEqual({
        'a.txt': undefined,
        'z.txt': undefined,
        'taken.txt': 'storage "default" has bytes at this location that belong to no file',
        'b.pdf': expect.stringContaining('application/pdf') as string,
      });
      expect((await all()).map(({ location }) => location)).toEqual(['a.txt', 'z.txt']);
      expect(await readFile(join(directory, 'default', 'taken.txt'), 'utf8')).toBe('of another');
      expect(await dataSource.getRepository(FileIntent).count()).toBe(0);
    });

    it('gives each file its own commit with --batch 1, and ends between two of them when it is interrupted', async () => {
      const path = await old({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
      const interrupted = new AbortController();
      const create = vi.spyOn(BatchCreations.prototype, 'create');
      onTestFinished(() => create.mockRestore());
      create.mockImplementationOnce(async function (this: BatchCreations, ...given) {
        create.mockRestore();
        const made = await this.create(...given);
        interrupted.abort();
        return made;
      });
      const { code, notes } = await run(module, ['import', path, '--batch', '1'], interrupted.signal);
      expect(code).toBe(3);
      expect(notes).toContain('Run the same command again to go on.');
      expect(await all()).toHaveLength(1);
      expect(await run(module, ['import', path])).toMatchObject({ code: 0 });
      expect(await all()).toHaveLength(3);
    });

    it.each([
      [[], 'Give a DIR, --from-column or --list.'],
      [['/nowhere/at/all'], 'DIR: ENOENT'],
      [[import.meta.filename], 'which is not a directory.'],
      [['.', '--field', 'fileId'], 'DIR and --field cannot be combined.'],
      [['.', '--owner', 'user:1', '--owner-by-folder', 'user'], 'cannot be combined'],
      [['.', '--storage', 'nowhere'], 'nowhere'],
    ])('refuses %j', async (wrong, problem) => {
      const { code, out, notes } = await run(module, ['import', ...wrong]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(notes).toContain(problem);
    });
  });

  describe('import --list', () => {
    const lines = async (...rows: unknown[]): Promise<string[]> => {
      const path = join(directory, 'list.jsonl');
      await writeFile(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
      onTestFinished(() => rm(path));
      return ['import', '--list', path, '--storage', 'archive', '--json'];
    };

    it('makes files of the bytes in a storage, and tells the new id of each old one, also when it runs again', async () => {
      await aged('archive', 'a.bin', '%PDF-1.7');
      await aged('archive', 'b.bin', 'b');
      const owner = { owner_type: 'user', owner_id: 'ada' };
      const argv = await lines(
        { id: 'old-1', location: 'a.bin', name: 'report.pdf', size: 8, ...owner, pinned: true },
        { id: 'old-2', location: 'b.bin', owner_type: null, owner_id: null, pinned: false },
      );
      expect((await run(module, [...argv, '--dry-run'])).results).toMatchObject([
        { old: 'old-1', id: null, new: true },
        { old: 'old-2', id: null, new: true },
      ]);
      expect(await files.search()).toMatchObject({ count: 0 });
      const { code, results } = await run(module, argv);
      expect(code).toBe(0);
      expect(results).toMatchObject([
        { old: 'old-1', new: true },
        { old: 'old-2', new: true },
      ]);
      const [one, two] = await files.findMany(results.map(({ id }) => String(id)));
      expect(one).toMatchObject({ name: 'report.pdf', contentType: 'application/pdf', ownerId: 'ada', pinned: true });
      expect(two).toMatchObject({ name: 'b.bin', ownerId: null, pinned: false });
      expect((await run(module, argv)).results).toEqual(results.map((result) => ({ ...result, new: false })));
    });

    it('answers 1, names each line that makes no file, and imports the others', async () => {
      for (const name of ['a', 'b', 'c', 'd']) await aged('archive', `${name}.bin`, name);
      const argv = await lines(
        { location: 'a.bin' },
        { location: 'gone.bin' },
        'no JSON',
        { location: 'b.bin', size: 99 },
        { name: 'x' },
        { location: 'c.bin', owner_type: 'user' },
        { location: 'd.bin' },
      );
      const { code, results } = await run(module, argv);
      expect(code).toBe(1);
      const problems = results.filter(({ problem }) => problem !== undefined);
      expect(new Set(problems.map(({ line, location }) => line ?? location))).toEqual(
        new Set([3, 5, 6, 'gone.bin', 'b.bin']),
      );
      expect(await files.search({ sort: 'location' })).toMatchObject({ count: 2 });
    });

    it('ends when it is interrupted', async () => {
      await aged('archive', 'a.bin', 'a');
      const { code, notes } = await run(module, await lines({ location: 'a.bin' }), AbortSignal.abort());
      expect(code).toBe(3);
      expect(notes).toContain('Run the same command again to go on.');
      expect(await files.search()).toMatchObject({ count: 0 });
    });

    it.each([
      [['--list', tmpdir()]],
      [['--list', '/nowhere/list.jsonl']],
      [['--list', 'x', '--from-column', 'Scan.path']],
      [['--list', 'x', '/nowhere']],
    ])('refuses %j', async (wrong) => {
      const { code, out } = await run(module, ['import', '--storage', 'archive', ...wrong]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
    });
  });

  describe('erase', () => {
    it('tells what is stored of a person, and changes nothing', async () => {
      const { id } = await create('one');
      await create('two', 'b.txt', 'bob');
      for (const changes of [[], ['--delete', '--anonymise', '--dry-run']]) {
        const { code, results, notes } = await run(module, ['erase', 'user:ada', ...changes, '--json']);
        expect(code).toBe(1);
        expect(results).toMatchObject([
          { kind: 'file', id, name: 'a.txt' },
          { kind: 'history', count: 1, anonymised: false },
        ]);
        expect(notes).toMatch(/^listed 1 in \d+\.\d s\nSome of it is left\n$/);
      }
      expect(await files.search()).toMatchObject({ count: 2 });
    });

    it('deletes their files, takes them out of the history, and leaves others alone', async () => {
      await create('one');
      const bobs = await create('two', 'b.txt', 'bob');
      await files.transferOwnership(bobs.id, {
        ownerType: 'user',
        ownerId: 'cleo',
        actor: { type: 'user', id: 'ada' },
      });
      const usage = dataSource.getRepository(FileUsage);
      for (const ownerId of ['ada', 'bob']) await usage.insert({ ownerType: 'user', ownerId, bytes: 0, count: 0 });
      expect(await run(module, ['erase', 'user:ada', '--delete', '--anonymise'])).toMatchObject({ code: 0 });
      expect(await usage.find()).toMatchObject([{ ownerId: 'bob' }]);
      expect(await files.search()).toMatchObject({ count: 1 });
      expect(await files.history(bobs.id)).toMatchObject([
        { action: 'create', toId: 'bob' },
        { action: 'transfer', fromId: 'bob', toId: 'cleo', actorType: null, actorId: null },
      ]);
      const after = await run(module, ['erase', 'user:ada']);
      expect(after).toMatchObject({ code: 0, out: '', notes: expect.stringContaining('Nothing is left') as string });
      expect(await run(module, ['verify', '--deep'])).toMatchObject({ code: 0 });
    });

    it('tells of bytes that are still there, and answers 1', async () => {
      const { location } = await create('one');
      refuseRemovals();
      const { code, results, notes } = await run(module, ['erase', 'user:ada', '--delete', '--anonymise', '--json']);
      expect(code).toBe(1);
      expect(results.find(({ kind }) => kind === 'bytes')).toEqual({ kind: 'bytes', count: 1 });
      expect(notes).toContain('Some of it is left');
      expect(await readFile(join(directory, 'default', location), 'utf8')).toBe('one');
      vi.restoreAllMocks();
      await run(module, ['sweep']);
      await expect(readFile(join(directory, 'default', location))).rejects.toThrow('ENOENT');
    });

    it('waits for the bytes before it says that nothing is left', async () => {
      const { location } = await create('one');
      const storage = app.get(StorageRegistry).get('default');
      const [remove, isAsked, mayGo] = [storage.remove.bind(storage), gate(), gate()];
      const removing = vi.spyOn(storage, 'remove').mockImplementationOnce(async (at) => {
        isAsked.open();
        await mayGo.opened;
        return remove(at);
      });
      onTestFinished(() => removing.mockRestore());
      const said = vi.spyOn(Output.prototype, 'note');
      onTestFinished(() => said.mockRestore());
      const ran = run(module, ['erase', 'user:ada', '--delete', '--anonymise']);
      await isAsked.opened;
      expect(said).not.toHaveBeenCalledWith('Nothing is left');
      mayGo.open();
      expect(await ran).toMatchObject({ code: 0, notes: expect.stringContaining('Nothing is left') as string });
      await expect(readFile(join(directory, 'default', location))).rejects.toThrow('ENOENT');
    });

    it('tells which files a record still names, and deletes the others', async () => {
      const ticket = await dataSource.getRepository(Ticket).save({ title: 't' });
      const [kept] = [await create('one'), await create('two')];
      await app.get(TaskQueue).run(async () => {
        await dataSource.getRepository(Ticket).update(ticket.id, { attachmentId: kept.id });
        await files.transferOwnership(kept.id, { ownerType: 'ticket', ownerId: ticket.id, pin: true });
      });
      const { code, results } = await run(module, ['erase', `ticket:${ticket.id}`, '--delete', '--json']);
      expect(code).toBe(1);
      expect(results[0]).toMatchObject({ kind: 'file', id: kept.id, deleted: false });
      expect(await files.findOrFail(kept.id)).toMatchObject({ ownerType: 'ticket' });
    });

    it('tells of jobs whose payload or key has the id', async () => {
      const jobs = dataSource.getRepository(QueuedJob);
      const rest = { attempts: 1, leaseOwner: null, lastError: null, createdAt: new Date(), dueAt: new Date() };
      const job = (name: string, payload: unknown, key: string | null = null) =>
        ({ ...rest, id: randomUUID(), name, key, data: { payload }, state: 'failed' }) as QueuedJob;
      const all = [job('deep', { to: [{ id: 42 }] }), job('key', {}, '42'), job('other', { text: 'user 42' })];
      await jobs.insert(all as object[]);
      const { code, results } = await run(module, ['erase', 'user:42', '--delete', '--anonymise', '--json']);
      expect(code).toBe(1);
      expect(results.map(({ kind, name }) => `${String(kind)} ${String(name)}`).toSorted(byText)).toEqual([
        'job deep',
        'job key',
      ]);
      expect(await jobs.count()).toBe(3);
    });

    it('refuses what is no person', async () => {
      expect(await run(module, ['erase', 'ada'])).toMatchObject({ code: 2, out: '' });
    });
  });
});
