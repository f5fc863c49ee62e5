import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { shellBlocks } from '../support/doc-pages.js';
import { run } from './support/run.js';

const directory = join(inject('consumer'), 'command-line');
const binary = join(inject('consumer'), 'node_modules/.bin/nestjs-files');
const cli = (...argv: string[]) => run(binary, argv, directory);

/** Bytes without files, which `orphans --adopt` makes files of. */
async function fill(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await writeFile(join(directory, 'disk', `file-${at}.txt`), `text ${at}`);
  const { code, output } = await cli('orphans', '--storage', 'disk', '--older-than', '0s', '--adopt');
  expect(code, output).toBe(0);
}

beforeEach(async () => {
  for (const name of ['disk', 'bucket', 'files.sqlite']) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
  await mkdir(join(directory, 'disk'));
});

it('runs the commands of docs/command-line.md', async () => {
  const [block = ''] = shellBlocks('command-line.md');
  const lines = block.trim().split('\n');
  expect(lines.length).toBeGreaterThan(3);
  for (const line of lines) {
    const [npx, name, ...argv] = line.split(' ');
    expect([npx, name]).toEqual(['npx', 'nestjs-files']);
    const { code, output } = await cli(...argv);
    expect(code, `${line}\n${output}`).toBe(0);
  }
});

it('finds the module where nest build puts it, and in a file that is named', async () => {
  expect(await cli('storages', '--json')).toMatchObject({ code: 0 });
  expect(await cli('--module', 'main.cjs#MainModule', 'storages')).toMatchObject({ code: 0 });
  await writeFile(join(directory, 'nestjs-files.config.mjs'), "export { AppModule } from './dist/app.module.js';\n");
  expect(await cli('storages')).toMatchObject({ code: 0 });
  await rm(join(directory, 'nestjs-files.config.mjs'));
});

it.each([
  [['--module', 'gone.js'], '--module is "gone.js", and there is no such file.'],
  [['--module', 'main.cjs'], 'Name the export: --module main.cjs#MainModule'],
  [['--module', 'main.cjs#Other'], 'main.cjs exports Other, which is no class.'],
  [['--module', 'disk'], '--module is "disk", and there is no such file.'],
  [['--module'], '--module names no file.'],
  [['--module', 'main.cjs', '--module=main.cjs'], '--module is given twice.'],
])('refuses %j, and says what to name', async (module, problem) => {
  const { code, output } = await cli('storages', ...module);
  expect(code).toBe(2);
  expect(output).toContain(problem);
});

describe('with a file of its own', () => {
  async function file(name: string, text: string): Promise<void> {
    await writeFile(join(directory, name), text);
    onTestFinished(() => rm(join(directory, name)));
  }

  it('finds the default export of compiled CommonJS', async () => {
    await file('default.cjs', `exports.__esModule = true;\nexports.default = require('./main.cjs').MainModule;\n`);
    expect(await cli('storages', '--module', 'default.cjs')).toMatchObject({ code: 0 });
  });

  it('says that TypeScript has to be built, where Node.js cannot run it', async () => {
    await file('module.ts', 'export enum Kind { Root }\n');
    const { code, output } = await cli('storages', '--module', 'module.ts');
    expect(code).toBe(2);
    expect(output).toContain('cannot run the TypeScript of module.ts');
  });

  it('tells once why the application cannot be started', async () => {
    await file('broken.mjs', `export class AppModule { constructor() { throw new Error('no secret'); } }\n`);
    const { code, output } = await cli('storages', '--module', 'broken.mjs');
    expect(code, output).toBe(3);
    expect(output.split('Error: no secret')).toHaveLength(2);
  });

  it('keeps what the application writes to the console out of the results', async () => {
    await file('loud.mjs', `console.log('loud');\nexport { AppModule } from './dist/app.module.js';\n`);
    const { code, stdout, output } = await cli('storages', '--json', '--module', 'loud.mjs');
    expect(code, output).toBe(0);
    expect(output).toContain('loud');
    for (const line of stdout.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ files: 0 });
  });
});

it('ends quietly when nobody reads its results', async () => {
  await fill(2);
  const { output } = await run('bash', ['-c', `"${binary}" ls | true; echo "\${PIPESTATUS[0]}"`], directory);
  expect(output).toBe('3\n');
});

it('needs no module for its help', async () => {
  const { code, stdout } = await run(binary, ['--help'], inject('consumer'));
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: nestjs-files');
});

describe('on a terminal', () => {
  /** Runs it in a pseudo-terminal, and calls back with what it has written so far. */
  function onTerminal(argv: readonly string[], look: (text: string, type: (keys: string) => void) => void) {
    // Without `exec`, dash would stay between, and would itself end on Ctrl-C.
    const command = ['exec', binary, ...argv].join(' ');
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: directory });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      look(text, (keys) => child.stdin.write(keys));
    });
    return new Promise<{ code: number | null; text: string }>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, text }));
    });
  }

  it('draws a bar, ends on Ctrl-C after the files at hand, and goes on when it is run again', async () => {
    await fill(400);
    const move = ['move', '--from', 'disk', '--to', 'bucket', '--concurrency', '1'];
    let isTyped = false;
    const { code, text } = await onTerminal(move, (shown, type) => {
      if (isTyped || !/\[#*\.*\] moved \d+ of 400 \(\d+ %\) {2}[\d.]+\/s {2}\d+ s left/.test(shown)) return;
      isTyped = true;
      type('\u0003');
    });
    expect(isTyped, text).toBe(true);
    expect(code, text).toBe(3);
    expect(text).toContain('Interrupted. Run the same command again to go on.');
    expect(text).toMatch(/Kmoved \d+ in [\d.]+ s\r\n/);

    const again = await cli(...move, '--json');
    expect(again.code, again.output).toBe(0);
    expect(again.output).not.toContain('\u001B');
    expect(await cli('verify', '--deep')).toMatchObject({ code: 0 });
    const { stdout } = await cli('stats', '--json');
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ group: 'storage', storage: 'bucket', files: 400 });
  });
});
