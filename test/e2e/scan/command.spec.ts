import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { FilesModule, FilesService, ManagedFile } from 'nestjs-files';
import { runFilesCli } from 'nestjs-files/cli';
import { fsStorage } from 'nestjs-files/storage/fs';
import { DataSource } from 'typeorm';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { reachableDatabases } from '../../support/databases.js';
import { newDirectory } from '../../support/files-directory.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

async function world(infected: 'keep' | 'remove' = 'keep') {
  const [kind] = await reachableDatabases('file');
  const { options, drop } = await kind!.create();
  const [root, backup] = [newDirectory(), newDirectory()];
  const scanner = new ScriptedScanner();
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...options, synchronize: true, autoLoadEntities: true } as TypeOrmModuleOptions),
      FilesModule.forRootAsync({
        useFactory: () => ({
          storages: { default: fsStorage({ root, scan: scanner }), backup: fsStorage({ root: backup }) },
          scanning: { attempts: 1, backoff: 1, infected },
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
    root,
    scanner,
    files,
    rows: app.get(DataSource).getRepository(ManagedFile),
    removals: app.get(ByteRemovals),
    create: (content: string) => files.create(Buffer.from(content), { name: 'a.txt', owner: null }),
    becomes: (id: string, scan: string) =>
      vi.waitFor(async () => expect(await files.findOrFail(id)).toMatchObject({ scan }), { timeout: 20_000 }),
    run: (...argv: string[]) => runUntil(undefined, ...argv),
    runUntil,
  };

  /** The exit code, and what was written. */
  async function runUntil(signal: AbortSignal | undefined, ...argv: string[]) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const written = Promise.all([text(stdout), text(stderr)]);
    const code = await runFilesCli(CommandLineModule, { argv, stdout, stderr, ...(signal && { signal }) });
    stdout.end();
    stderr.end();
    const [out, notes] = await written;
    return { code, out: out.trim(), notes };
  }
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

it('tells how many scans it has queued, and queues none once it is interrupted', async () => {
  const { rows, create, becomes, run, runUntil } = await world();
  const files = await Promise.all([create('one'), create('two'), create('three')]);
  for (const { id } of files) await becomes(id, 'clean');
  const rescan = ['rescan', '--state', 'clean'];
  expect(await runUntil(AbortSignal.abort(), ...rescan)).toMatchObject({
    code: 3,
    notes: expect.stringContaining('queued 0 in') as string,
  });
  await rows.update({ scan: 'clean' }, { scan: 'failed' });
  const { code, out, notes } = await run('rescan');
  expect({ code, out }).toEqual({ code: 0, out: '3 files are scanned again' });
  expect(notes).toMatch(/^queued 3 in \d+\.\d s\n$/);
  for (const { id } of files) await becomes(id, 'clean');
  expect(await run('rescan', '--state', 'clean', '--dry-run')).toMatchObject({ code: 0, notes: '' });
});

it('refuses states that there are not, and says which there are', async () => {
  const { run } = await world();
  const told = { code: 2, notes: expect.stringContaining('pending, clean, infected, failed, unscanned') as string };
  expect(await run('rescan', '--state', 'dirty')).toMatchObject(told);
  expect(await run('ls', '--scan', 'dirty')).toMatchObject(told);
});

it('scans bytes of the storage that commands make files of', async () => {
  const { root, rows, becomes, run } = await world();
  for (const [name, content] of Object.entries({ 'listed.txt': 'a virus', 'found.txt': 'hello' }))
    await writeFile(join(root, name), content);
  const list = join(newDirectory(), 'list.jsonl');
  await writeFile(list, `${JSON.stringify({ location: 'listed.txt' })}\n`);
  expect(await run('import', '--list', list, '--storage', 'default')).toMatchObject({ code: 0 });
  expect(await run('orphans', '--storage', 'default', '--older-than', '0s', '--adopt')).toMatchObject({ code: 0 });
  for (const [location, state] of Object.entries({ 'listed.txt': 'infected', 'found.txt': 'clean' })) {
    const { id, scanner } = await rows.findOneByOrFail({ location });
    expect(scanner).toBe('scripted');
    await becomes(id, state);
  }
});

it('copies the bytes of a storage for a backup, but for infected ones that were removed', async () => {
  const { create, becomes, run, removals } = await world('remove');
  const [clean, infected] = [await create('hello'), await create('a virus')];
  await becomes(clean.id, 'clean');
  await becomes(infected.id, 'infected');
  await removals.idle();
  expect(await run('copy', '--from', 'default', '--to', 'backup')).toMatchObject({ code: 0 });
});
