import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { FilesService, ManagedFile } from 'nestjs-files';
import { FilesAudit, FilesSweeper } from 'nestjs-files/maintenance';
import type { DataSourceOptions } from 'typeorm';
import { expect, it, onTestFinished } from 'vitest';
import { FILES_ENTITIES } from '../../lib/files.module.js';
import { FileIntent } from '../../lib/files/intents/file-intent.entity.js';
import type { DeriveTask } from '../crash/derive.child.js';
import { compileModule } from './compiled-module.js';
import { copyingModule } from './copying-module.js';
import type { TestDatabase } from './databases.js';
import { filesBelow, newDirectory } from './files-directory.js';

/** Kills the process before each statement of a replacement and its derivation, or before each so many. */
export function itDerivesAfterCrashes(database: TestDatabase, step: number): void {
  it(
    'is there once, and of the content that the original has, where the process died before any statement',
    { timeout: 300_000 },
    async () => {
      const script = await compileModule(
        fileURLToPath(new URL('../crash/derive.child.ts', import.meta.url)),
        newDirectory(),
      );
      const outcomes: string[] = [];
      for (let dieAt = 1, hasDied = true; hasDied; dieAt += step) {
        const opened = await database.open({ entities: [...FILES_ENTITIES] });
        onTestFinished(() => opened.close());
        const { prepareDatabase: _, ...options } = opened.dataSource.options as { prepareDatabase?: unknown };
        const connection = { ...options, synchronize: false, entities: [] } as unknown as DataSourceOptions;
        const root = newDirectory();
        const task: DeriveTask = { database: connection, root, dieAt };
        const child = spawn(process.execPath, [script, JSON.stringify(task)], {
          stdio: ['ignore', 'inherit', 'inherit'],
        });
        const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
        hasDied = signal === 'SIGKILL';
        const app = await NestFactory.createApplicationContext(copyingModule(connection, root), { logger: false });
        const rows = opened.dataSource.getRepository(ManagedFile);
        await expect
          .poll(() => opened.read("SELECT id FROM files_job WHERE state = 'open'"), { timeout: 20_000 })
          .toEqual([]);
        await app.get(FilesSweeper).sweep();
        const files = app.get(FilesService);
        const [original, twin, ...more] = await rows.find({ order: { ownerType: 'ASC' } });
        expect([original!.ownerType, twin!.ownerType, more]).toEqual([null, 'file', []]);
        const contents = await Promise.all([original!, twin!].map(async (file) => text(await files.stream(file))));
        expect(contents[1]).toBe(contents[0]);
        outcomes.push(contents[0]!);
        const findings: unknown[] = [];
        for await (const finding of app.get(FilesAudit).run({ deep: true })) findings.push(finding);
        expect(findings).toEqual([]);
        expect(await opened.dataSource.getRepository(FileIntent).count()).toBe(0);
        await app.close();
        expect(await filesBelow(root)).toHaveLength(2);
      }
      const replacedFrom = outcomes.indexOf('new');
      expect(replacedFrom).toBeGreaterThan(4 / step);
      // A search for due jobs may come between, so the statement of the replacement is not always the same one.
      expect(new Set(outcomes)).toEqual(new Set(['old', 'new']));
      // Taking the job, reading the original, noting the bytes, saving the row and ending the job are many statements.
      expect(outcomes.length - replacedFrom).toBeGreaterThan(10 / step);
    },
  );
}
