import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';
import { shellBlocks, writePageFiles } from '../support/doc-pages.js';
import { node, run, tool } from './support/run.js';
import { freePort } from '../../scripts/free-ports.mjs';

const ANSWERS = fileURLToPath(new URL('../../.ci/answers.mjs', import.meta.url));
const [, , ...story] = shellBlocks('getting-started.md', 6);

/** Starts what the page has built, and waits for its first answer. */
async function start(directory: string, port: number): Promise<void> {
  const env = { ...process.env, PORT: `${port}` };
  const child = spawn(process.execPath, ['dist/main.js'], { cwd: directory, env, stdio: 'ignore' });
  onTestFinished(() => void child.kill());
  const answered = await node([ANSWERS, `http://localhost:${port}`, `${child.pid}`]);
  expect(answered.code, answered.output).toBe(0);
}

it('compiles and runs as docs/getting-started.md says, with the packed library', { timeout: 120_000 }, async () => {
  const directory = join(inject('consumer'), 'getting-started');
  writePageFiles('getting-started.md', directory);
  await writeFile(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }));

  const compiled = await tool('tsc', [], directory);
  expect(compiled.code, compiled.output).toBe(0);
  const port = await freePort();
  await start(directory, port);
  const script = story.join('\n').replace('localhost:3000', `localhost:${port}`);
  const { stdout } = await run('bash', ['-euc', script], directory);

  expect(stdout.split('\n').filter((line) => /^\d{3}$/.test(line))).toEqual(['404', '400', '200', '201', '200', '400']);
});
