import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Module } from '@nestjs/common';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { FilesModule, FilesService } from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { adoptStorage, FilesSweeper } from 'nestjs-files/maintenance';
import { fsStorage } from 'nestjs-files/storage/fs';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { shellBlocks } from '../../support/doc-pages.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { runCli } from '../../support/run-cli.js';

const BLOCKS = ['backUp', 'check', 'move', 'adopt', 'erase', 'alerts', 'capacity'] as const;

/** The commands of the blocks of the page. */
function commandsOf(block: (typeof BLOCKS)[number]): string[] {
  const text = shellBlocks('operating.md', BLOCKS.length)[BLOCKS.indexOf(block)] ?? '';
  return text.trim().split('\n');
}

function files(disk: string, backup: string): DynamicModule {
  return FilesModule.forRoot({
    storages: { disk: fsStorage({ root: disk }), backup: fsStorage({ root: backup }) },
    defaultStorage: 'disk',
    quotas: { user: { bytes: '1GiB' } },
  });
}

function moduleOn(options: object, filesModule: DynamicModule): Type {
  const database = { ...options, synchronize: true, autoLoadEntities: true, retryAttempts: 0 } as TypeOrmModuleOptions;
  @Module({ imports: [TypeOrmModule.forRoot(database), filesModule] })
  class OperatedModule {}
  return OperatedModule;
}

async function databaseOf(database: TestDatabase): Promise<{ options: object; url: string }> {
  const { options, drop } = await database.create();
  onTestFinished(drop);
  const { host, port, username, database: name } = options as unknown as Record<string, string>;
  return { options, url: `postgres://${username}@${host}:${port ?? 5432}/${name}` };
}

it('runs every example of docs/operating.md', async () => {
  expect(await examplesNotRun('operating.md', import.meta.url)).toEqual([]);
});

describe.each(await reachableDatabases('postgres'))('an application on $name is operated', (database) => {
  async function start() {
    const [disk, backup, reports] = [newDirectory(), newDirectory(), newDirectory()];
    const { options, url } = await databaseOf(database);
    const module = moduleOn(options, files(disk, backup));
    const app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    onTestFinished(() => app.close());
    const service = app.get(FilesService);
    const create = (text: string, owner = '42') =>
      service.create(Buffer.from(text), { name: `${text}.txt`, owner: { type: 'user', id: owner } });
    /** Runs a line of the page as a shell would; gives the exit code. */
    const run = async (line: string, on = module): Promise<number> => {
      const [npx, name, ...argv] = line.split(' ');
      if (npx === 'npx' && name === 'nestjs-files') {
        const words = argv.map((word) => (word.endsWith('.html') ? join(reports, word) : word));
        return (await runCli(on, words)).code;
      }
      await promisify(execFile)('bash', ['-euc', line], { cwd: reports, env: { ...process.env, DATABASE_URL: url } });
      return 0;
    };
    return { disk, backup, reports, module, service, create, run, sweeper: app.get(FilesSweeper) };
  }

  it('backed up while it changes, and restored with all of its files', async () => {
    const { backup, reports, service, create, run } = await start();
    const [kept, gone] = [await create('kept'), await create('gone')];
    const [first = '', dump = '', second = ''] = commandsOf('backUp');
    expect(await run(first)).toBe(0);
    const between = await create('between');
    expect(await run(dump)).toBe(0);
    await service.delete(gone.id);
    const after = await create('after');
    expect(await run(second)).toBe(0);

    const restored = await databaseOf(database);
    await promisify(execFile)('pg_restore', ['--dbname', restored.url, join(reports, 'files.dump')]);
    const nextBackup = newDirectory();
    const module = moduleOn(restored.options, files(backup, nextBackup));
    await expect(NestFactory.createApplicationContext(module, { logger: false, abortOnError: false })).rejects.toThrow(
      'mark',
    );
    const entities = [...FILES_ENTITIES];
    const dataSource = await new DataSource({
      ...restored.options,
      entities,
    } as unknown as DataSourceOptions).initialize();
    await adoptStorage(dataSource, 'disk', fsStorage({ root: backup }));
    await adoptStorage(dataSource, 'backup', fsStorage({ root: nextBackup }));
    await dataSource.destroy();
    for (const line of commandsOf('check')) expect(await run(line, module), line).toBe(0);
    const { results } = await runCli(module, ['ls', '--json']);
    const ids = results.map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set([kept.id, gone.id, between.id]));
    expect(ids).not.toContain(after.id);
  });

  it('moved to another storage', async () => {
    const { disk, create, run, service } = await start();
    const { id } = await create('one');
    for (const line of commandsOf('move')) expect(await run(line), line).toBe(0);
    expect(await service.findOrFail(id)).toMatchObject({ storage: 'backup' });
    expect((await filesBelow(disk)).filter((path) => !path.startsWith('.'))).toEqual([]);
  });

  it('given files of bytes that it did not know', async () => {
    const { disk, run, service } = await start();
    await writeFile(join(disk, 'old.txt'), 'old');
    for (const line of commandsOf('adopt')) expect(await run(line), line).toBe(0);
    expect((await service.search()).results).toMatchObject([{ location: 'old.txt', ownerId: 'archive' }]);
  });

  it('emptied of a person', async () => {
    const { create, run, service } = await start();
    await create('one');
    const others = await create('two', '43');
    const [look = '', erase = ''] = commandsOf('erase');
    expect(await run(look)).toBe(1);
    expect(await run(erase)).toBe(0);
    expect(await run(look)).toBe(0);
    expect((await service.search()).results).toMatchObject([{ id: others.id }]);
  });

  it('watched', async () => {
    const { create, run, reports, sweeper } = await start();
    await create('one');
    for (const line of commandsOf('alerts')) expect(await run(line), line).toBe(0);
    const oldest = await sweeper.oldestIntent();
    const age = oldest ? Date.now() - oldest.getTime() : 0;
    expect(age).toBe(0);
    for (const line of commandsOf('capacity')) expect(await run(line), line).toBe(0);
    expect(await filesBelow(reports)).toEqual(['report.html']);
  });
});
