import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { ManagedFile } from 'nestjs-files';
import type { DataSourceOptions } from 'typeorm';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FILES_ENTITIES } from '../../../lib/files.module.js';
import { FileIntent } from '../../../lib/files/intents/file-intent.entity.js';
import { compileModule } from '../../support/compiled-module.js';
import { reachableDatabases } from '../../support/databases.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { runCli } from '../../support/run-cli.js';
import type { ImportTask } from './import.child.js';
import { importingModule } from './importing-module.js';

const LOCATIONS = ['a/1.txt', 'a/2.txt', 'a/3.txt', 'b/4.txt', 'b/5.txt', 'b/c/6.txt'];
/** A part of the points, at which every kind of step is reached. */
const STRIDE = process.env['FILES_TEST_EVERY_POINT'] ? 1 : 9;

let script = '';
beforeAll(async () => {
  script = await compileModule(fileURLToPath(new URL('import.child.ts', import.meta.url)), newDirectory());
});

describe.each(await reachableDatabases('file', 'postgres'))('import DIR on $name', (kind) => {
  it(
    'makes each file once, and leaves nothing else, wherever the process of the run before was killed',
    { timeout: 300_000 },
    async () => {
      const from = newDirectory();
      for (const location of LOCATIONS) {
        await mkdir(dirname(join(from, location)), { recursive: true });
        await writeFile(join(from, location), `of ${location}`);
      }
      const argv = ['import', from, '--batch', '3', '--owner', 'user:42'];
      const left = new Set<number>();
      let deaths = 0;
      for (let dieAt = 1, hasDied = true; hasDied; dieAt += STRIDE) {
        const { module, root, rows, intents, history, connection } = await world();
        const task: ImportTask = { database: connection, root, argv, dieAt };
        const child = spawn(process.execPath, [script, JSON.stringify(task)], { stdio: 'ignore' });
        const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
        hasDied = signal === 'SIGKILL';
        if (hasDied) deaths++;
        else expect(code).toBe(0);
        left.add(await rows.count());

        // Bytes without a file are left alone until the sweeper knows what they are.
        const again = await runCli(module, argv);
        expect([0, 1]).toContain(again.code);
        expect(await runCli(module, ['sweep'])).toMatchObject({ code: 0 });
        expect(await runCli(module, argv)).toMatchObject({ code: 0 });

        const files = await rows.find({ order: { location: 'ASC' } });
        expect(files.map(({ location, ownerId }) => [location, ownerId])).toEqual(LOCATIONS.map((one) => [one, '42']));
        expect(await history()).toBe(LOCATIONS.length);
        expect(await intents.count()).toBe(0);
        expect(await filesBelow(root)).toHaveLength(LOCATIONS.length);
        for (const location of LOCATIONS) expect(await readFile(join(root, location), 'utf8')).toBe(`of ${location}`);
        expect(await runCli(module, ['verify', '--deep'])).toMatchObject({ code: 0, out: '' });
        expect(await runCli(module, ['orphans', '--older-than', '0s'])).toMatchObject({ code: 0, out: '' });
      }
      // Before, between and after the two commits.
      expect([...left].toSorted((one, other) => one - other)).toEqual([0, 3, 6]);
      expect(deaths).toBeGreaterThan(20 / STRIDE);
    },
  );

  async function world() {
    const { dataSource, close, read } = await kind.open({ entities: [...FILES_ENTITIES] });
    onTestFinished(close);
    const { prepareDatabase: _, ...options } = dataSource.options as { prepareDatabase?: unknown };
    const connection = { ...options, synchronize: false, entities: [] } as unknown as DataSourceOptions;
    const root = newDirectory();
    @Module({ imports: [importingModule(connection, root)] })
    class AgainModule {}
    return {
      module: AgainModule as Type,
      root,
      connection,
      rows: dataSource.getRepository(ManagedFile),
      intents: dataSource.getRepository(FileIntent),
      history: async () => (await read('SELECT id FROM files_transfer')).length,
    };
  }
});
