import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { compileModule } from '../../support/compiled-module.js';
import { newDirectory } from '../../support/files-directory.js';

let script = '';
beforeAll(async () => {
  script = await compileModule(fileURLToPath(new URL('../../../lib/cli/bin.ts', import.meta.url)), newDirectory());
});

const REASON = `not today, ${'for a long reason '.repeat(10_000)}`;

it('ends with exit code 3 where an application fails to boot that leaves a timer, and says all of the reason', async () => {
  const file = join(dirname(script), 'app.module.mjs');
  await writeFile(
    file,
    `import { Module } from '@nestjs/common';
    export class AppModule {
      onModuleInit() {
        setInterval(() => undefined, 1_000);
        throw new Error(${JSON.stringify(REASON)});
      }
    }
    Module({})(AppModule);`,
  );
  const child = spawn(process.execPath, [script, 'storages', '--check', '--module', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const notes = text(child.stderr);
  expect(await once(child, 'exit')).toEqual([3, null]);
  expect(await notes).toContain(REASON);
});
