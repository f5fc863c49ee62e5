import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { Module } from '@nestjs/common';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FilesAudit } from '../../../lib/entry/maintenance.js';
import { FilesModule, FilesService, ManagedFile, TaskQueue } from '../../../lib/index.js';
import { runFilesCli } from '../../../lib/entry/cli.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { updatePast } from '../../support/past-the-guard.js';

const WAITING = {
  postgres: `SELECT count(*) AS "n" FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  mysql: `SELECT count(*) AS n FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'`,
};

const SELDOM = { timeout: 20_000, interval: 250 };

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('orphans on $name', (database) => {
  let empty: EmptyDatabase;
  let directory: string;
  let module: Type;
  let app: INestApplicationContext;
  let files: FilesService;

  beforeEach(async () => {
    empty = await database.create();
    directory = await mkdtemp(join(tmpdir(), 'files-orphans-'));
    // Another way to the directory of `below`.
    await mkdir(join(directory, 'disk', 'a'), { recursive: true });
    await symlink(join(directory, 'disk', 'a'), join(directory, 'link'));
    const storage = (...path: string[]) => fsStorage({ root: join(directory, ...path) });
    @Module({
      imports: [
        TypeOrmModule.forRoot({ ...empty.options, synchronize: true, autoLoadEntities: true } as TypeOrmModuleOptions),
        FilesModule.forRoot({
          storages: {
            disk: storage('disk'),
            same: storage('disk'),
            below: storage('disk', 'a', 'below'),
            linked: storage('link', 'below'),
          },
          defaultStorage: 'disk',
          sweeper: false,
        }),
      ],
    })
    class OrphansModule {}
    module = OrphansModule;
    app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    files = app.get(FilesService);
  });
  afterEach(async () => {
    await app.close();
    await empty.drop();
    await rm(directory, { recursive: true });
  });

  async function orphans(...options: string[]): Promise<number> {
    const stream = () => new Writable({ write: (_chunk, _encoding, done) => done() });
    const argv = ['orphans', ...options];
    return runFilesCli(module, { argv, stdout: stream(), stderr: stream() });
  }

  async function aged(location: string): Promise<void> {
    const path = join(directory, 'disk', location);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'old');
    await utimes(path, new Date(0), new Date(0));
  }

  const stored = async (): Promise<string[]> => {
    const entries = await readdir(join(directory, 'disk'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  };

  it('spares the files and marks of storages in the same place and below it', async () => {
    const kept: ManagedFile[] = [];
    for (const storage of ['disk', 'same', 'below', 'linked'])
      kept.push(await files.create(Buffer.from(storage), { name: 'a.txt', storage, owner: null }));
    await aged('a/outer.txt');
    kept.push(await files.register('a/outer.txt', { storage: 'same', owner: null }));
    await aged('a/below/both.txt');
    kept.push(await files.register('a/below/both.txt', { storage: 'disk', owner: null }));
    await aged('a/below/orphan.txt');
    const before = await stored();

    for (const storage of ['disk', 'same', 'below', 'linked'])
      expect(await orphans('--storage', storage, '--older-than', '0s', '--delete')).toBe(0);
    expect(await stored()).toEqual(before.filter((name) => name !== 'orphan.txt'));
    expect(before).toHaveLength(9);
    for (const { id, size } of kept) expect(await files.findOrFail(id)).toMatchObject({ size });
  });

  it('spares the files of a storage that has another name now', async () => {
    const { id } = await files.create(Buffer.from('one'), { name: 'a.txt', owner: null });
    await updatePast(app.get(DataSource), ManagedFile, { id }, { storage: 'earlier' });
    expect(await orphans('--older-than', '0s')).toBe(0);
  });

  it('refuses an age from before all dates', async () => {
    await aged('orphan.txt');
    expect(await orphans('--storage', 'disk', '--older-than', '999999999w', '--delete')).toBe(2);
    expect(() => app.get(FilesAudit).orphans({ olderThan: 1e20 })).toThrow('olderThan');
    expect(await stored()).toContain('orphan.txt');
  });

  it.skipIf(database.kind === 'file')('waits for whoever makes a file of the bytes, and spares them', async () => {
    await aged('wanted.txt');
    await aged('orphan.txt');
    const [registered, end] = [gate(), gate()];
    const unit = app.get(TaskQueue).run(async () => {
      await files.register('wanted.txt', { storage: 'disk', owner: null });
      registered.open();
      await end.opened;
    });
    await registered.opened;
    let isOver = false;
    const ran = orphans('--storage', 'disk', '--delete').finally(() => (isOver = true));
    const { options } = app.get(DataSource);
    await vi.waitFor(async () => {
      const sql = options.type === 'postgres' ? WAITING.postgres : WAITING.mysql;
      const [row] = await app.get(DataSource).query<{ n: string }[]>(sql);
      expect(isOver || Number(row?.n) > 0).toBe(true);
      // MariaDB gives the state of transactions anew only if nobody has asked for a tenth of a second.
    }, SELDOM);
    end.open();
    await unit;
    expect(await ran).toBe(1);
    expect(await stored()).toContain('wanted.txt');
    expect(await stored()).not.toContain('orphan.txt');
  });
});
