import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../support/databases.js';
import { shellBlocks } from '../support/doc-pages.js';
import { s3Config, theBucket } from '../support/s3-server.js';
import { freePort } from '../../scripts/free-ports.mjs';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

/** Runs a script in the repository; all that it starts is ended with the test. */
function start(script: string): ChildProcess {
  const child = spawn('bash', ['-c', script], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    process.kill(-(child.pid as number), 'SIGTERM');
    await once(child, 'exit');
  });
  return child;
}

/** What the script prints, until it has printed this or has ended. */
function textOf({ stdout }: ChildProcess, until?: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (until !== undefined && text.includes(until)) resolve(text);
    });
    stdout?.once('end', () => resolve(text));
  });
}

// The story is some hundred programs that start.
const TIMEOUT = 300_000;

it.each(await reachableDatabases('postgres'))(
  'tells its story on $name and S3, as docs/deploying.md starts it',
  { timeout: TIMEOUT },
  async (database) => {
    const { options, drop } = await database.create();
    onTestFinished(drop);
    const {
      host,
      port: databasePort,
      username,
      password = '',
      database: name,
    } = options as unknown as Record<string, string>;
    const { bucket } = await theBucket();
    const { endpoint, credentials } = s3Config();
    const { accessKeyId, secretAccessKey } = credentials as { accessKeyId: string; secretAccessKey: string };
    const port = await freePort();
    const [block = ''] = shellBlocks('deploying.md');
    const script = block
      .replace('portal:secret@db.example.org/portal', `${username}:${password}@${host}:${databasePort}/${name}`)
      .replace('portal-files', bucket)
      .replace('https://s3.example.org', endpoint)
      .replace('=portal ', `=${accessKeyId} `)
      .replace('=secret', `=${secretAccessKey}`)
      .replace('PORT=4000', `PORT=${port}`);
    const portal = start(script);
    expect(await textOf(portal, 'Accounts to try')).toContain(`http://localhost:${port}`);
    const story = start(`bash sample/portal/story.sh http://127.0.0.1:${port}`);
    expect(await textOf(story)).toContain('The story ends well.');
  },
);
