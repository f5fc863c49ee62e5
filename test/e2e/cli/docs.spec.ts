import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { COMMANDS } from '../../../lib/cli/commands/index.js';
import { compileModule } from '../../support/compiled-module.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { readPage } from '../../support/doc-pages.js';

const SCRIPT = new URL('./script.child.ts', import.meta.url);
const COMMANDS_SPEC = new URL('./commands.spec.ts', import.meta.url);

it('runs every example of docs/command-line.md', async () => {
  expect(await examplesNotRun('command-line.md', SCRIPT.href, COMMANDS_SPEC.href)).toEqual([]);
});

it('names every command in docs/command-line.md', () => {
  const page = readPage('command-line.md');
  for (const { name } of COMMANDS) expect(page).toMatch(new RegExp(`^\\| \`${name}[ \`]`, 'm'));
});

it('runs in a script of the application, with its exit code', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'files-cli-script-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = await compileModule(fileURLToPath(SCRIPT), directory);
  const run = (...argv: string[]) => promisify(execFile)(process.execPath, [script, ...argv]);

  const { stdout, stderr } = await run('storages', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ storage: 'default', files: 0 });
  expect(stderr).toBe('');
  await expect(run('cat', 'no-id')).rejects.toMatchObject({ code: 3 });
  await expect(run('frobnicate')).rejects.toMatchObject({ code: 2 });
});
