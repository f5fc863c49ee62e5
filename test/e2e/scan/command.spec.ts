import { text } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { FilesModule, FilesService } from 'nestjs-files';
import { runFilesCli } from 'nestjs-files/cli';
import { fsStorage } from 'nestjs-files/storage/fs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { newDirectory } from '../../support/files-directory.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

async function world() {
  const [kind] = await reachableDatabases('file');
  const { options, drop } = await kind!.create();
  const root = newDirectory();
  const scanner = new ScriptedScanner();
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...options, synchronize: true, autoLoadEntities: true } as TypeOrmModuleOptions),
      FilesModule.forRootAsync({
        useFactory: () => ({
          storages: { default: fsStorage({ root, scan: scanner }) },
          scanning: { attempts: 1, backoff: 1 },
        }),
      }),
    ],
  })
  class CommandLineModule {}
  const app = await NestFactory.createApplicationContext(CommandLineModule, { logger: false });
  onTestFinished(async () => {
    await app.close();
    await drop();
  });
  const files = app.get(FilesService);
  return {
    scanner,
    files,
    create: (content: string) => files.create(Buffer.from(content), { name: 'a.txt', owner: null }),
    becomes: (id: string, scan: string) =>
      vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan }), { timeout: 20_000 }),
    /** The exit code, and what was written. */
    run: async (...argv: string[]) => {
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      const written = Promise.all([text(stdout), text(stderr)]);
      const code = await runFilesCli(CommandLineModule, { argv, stdout, stderr });
      stdout.end();
      stderr.end();
      const [out, notes] = await written;
      return { code, out: out.trim(), notes };
    },
  };
}

it('lists, shows, reads and scans again what is in quarantine, from the command line', async () => {
  const { scanner, create, becomes, run } = await world();
  scanner.script = () => Promise.reject(new Error('unreachable'));
  const { id } = await create('a virus');
  await becomes(id, 'failed');
  expect((await run('ls', '--scan', 'failed')).out).toContain(id);
  expect(await run('ls', '--scan', 'clean')).toMatchObject({ code: 0, out: '' });
  expect((await run('show', id)).out).toContain('failed, unreachable');
  expect(await run('cat', id)).toMatchObject({
    code: 3,
    notes: expect.stringContaining('FILES_FILE_UNSCANNED') as string,
  });
  expect((await run('cat', id, '--quarantined')).out).toBe('a virus');
  expect((await run('rescan', '--dry-run')).out).toBe('1 files would be scanned again');
  expect((await run('rescan', '--state', 'infected', '--json')).out).toBe('{"files":0,"queued":true}');
  scanner.script = undefined;
  expect(await run('rescan')).toMatchObject({ code: 0, out: '1 files are scanned again' });
  await becomes(id, 'infected');
});

it('refuses states that there are not, and says which there are', async () => {
  const { run } = await world();
  const told = { code: 2, notes: expect.stringContaining('pending, clean, infected, failed, unscanned') as string };
  expect(await run('rescan', '--state', 'dirty')).toMatchObject(told);
  expect(await run('ls', '--scan', 'dirty')).toMatchObject(told);
});
