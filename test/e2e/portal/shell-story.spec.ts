import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fsStorage } from 'nestjs-files/storage/fs';
import { afterEach, describe, expect, it } from 'vitest';
import { shellBlocks } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';
import { startPortal } from './start-portal.js';
import type { Platform, Portal } from './start-portal.js';

const run = promisify(execFile);
const STORY = fileURLToPath(new URL('../../../sample/portal/story.sh', import.meta.url));

function hasCurl(): boolean {
  try {
    execFileSync('bash', ['-c', 'command -v curl'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('Skipped: the story of the portal needs bash and curl, and one of them is not there.\n');
    return false;
  }
}

describe.skipIf(!hasCurl())('the story in a shell', () => {
  let portal: Portal | undefined;

  afterEach(() => portal?.close());

  async function start(platform: Platform, directory = newDirectory()): Promise<string> {
    portal = await startPortal(platform, {
      database: { type: 'better-sqlite3', database: `${directory}/portal.sqlite` },
      storage: fsStorage({ root: `${directory}/files`, maxSize: '20MiB' }),
    });
    return portal.url;
  }

  it('ends well on express, and is told again on fastify with the same data', { timeout: 180_000 }, async () => {
    const directory = newDirectory();

    const first = await run('bash', [STORY, await start('express', directory)]);
    await portal?.close();
    const again = await run('bash', [STORY], { env: { ...process.env, BASE_URL: await start('fastify', directory) } });

    expect(first.stdout).toContain('The story ends well.');
    expect(again.stdout).toContain('The story ends well.');
  });

  it('matches the story of the README', { timeout: 180_000 }, async () => {
    const [, , story = ''] = shellBlocks('../README.md', 3);
    const script = story.replace('http://localhost:3000', await start('express'));

    const { stdout } = await run('bash', ['-euc', script], { cwd: newDirectory() });

    expect(stdout.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
    expect(stdout).toContain('"statusCode":400');
    expect(stdout).toContain('"ownerType":"user"');
    expect(stdout).toMatch(/alice/i);
  });

  it('fails at the first expectation that is disappointed', async () => {
    const elsewhere = `${await start('express')}/elsewhere`;

    await expect(run('bash', [STORY, elsewhere])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('expected 200, got 404') as string,
    });
  });
});
