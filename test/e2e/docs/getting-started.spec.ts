import { execFile } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { blocksOf, shellBlocks, writePageFiles } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));
const [install = '', build, ...story] = shellBlocks('getting-started.md', 6);

/** The application that a newcomer has after the last block, from the files of the page. */
async function startNewcomersApp(): Promise<{ directory: string; url: string }> {
  const directory = newDirectory();
  writePageFiles('getting-started.md', directory);
  symlinkSync(MODULES, join(directory, 'node_modules'));
  const create = vi.spyOn(NestFactory, 'create');
  const here = process.cwd();
  Logger.overrideLogger(false);
  vi.stubEnv('PORT', '0');
  process.chdir(directory);
  try {
    await import(/* @vite-ignore */ join(directory, 'src/main.ts'));
  } finally {
    process.chdir(here);
    vi.unstubAllEnvs();
  }
  const app = await create.mock.results[0]!.value;
  onTestFinished(() => app.close());
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  return { directory, url: `http://127.0.0.1:${port}` };
}

it('becomes an application that keeps the promise, block by block', { timeout: 30_000 }, async () => {
  const { directory, url } = await startNewcomersApp();
  const script = story.join('\n').replace('http://localhost:3000', url);

  const { stdout } = await run('bash', ['-euc', script], { cwd: directory });

  const statuses = stdout.split('\n').filter((line) => /^\d{3}$/.test(line));
  expect(statuses).toEqual(['404', '400', '200', '201', '200', '400']);
  expect(stdout).toContain('"ownerType":"user"');
  expect(stdout).toContain('%PDF-1.7');
  expect(stdout).toContain('attachmentId: The file does not exist, or you may not use it');
});

it('installs every package that its files import, and runs what it builds', () => {
  const imported = blocksOf('getting-started.md')
    .filter(({ language }) => language === 'ts')
    .flatMap(({ text }) =>
      [...text.matchAll(/(?:from|import) '((?:@[^/']+\/)?[^./'][^/']*)/g)].map(([, name]) => name),
    );
  const installed = install.split(/[\s\\]+/).map((word) => word.replace(/(?<=.)@\d+$/, ''));

  expect(imported).toContain('nestjs-files');
  expect(imported.filter((name) => !installed.includes(name as string))).toEqual([]);
  expect(build).toBe('npx tsc\nnode dist/main.js\n');
});
