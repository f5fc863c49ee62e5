import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { listens } from './databases.js';
import { newDirectory } from './files-directory.js';
import { freePort } from '../../scripts/free-ports.mjs';

// As Debian has them.
const SERVER = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';

/** Whether Apache and mod_xsendfile are installed; says so where they are not. */
export function hasApache(): boolean {
  if ([SERVER, `${MODULES}/mod_xsendfile.so`].every((path) => existsSync(path))) return true;
  console.log('Apache or mod_xsendfile is not installed: the tests behind it are skipped');
  return false;
}

/**
 * Starts Apache in front of a server; it sends the files below `root` that the server names, and ends with the test.
 */
export async function apacheBefore(port: number, root: string): Promise<URL> {
  const directory = newDirectory();
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'xsendfile'];
  const path = join(directory, 'apache.conf');
  // It runs as whoever runs the tests, unless that is root, whom it refuses to be.
  const user = process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : '';
  writeFileSync(
    path,
    `ServerName localhost
Listen ${url.host}
PidFile ${directory}/pid
ErrorLog ${directory}/error.log
${user}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
ProxyPass / http://127.0.0.1:${port}/
XSendFile On
XSendFilePath ${root}
`,
  );
  const apache = spawn(SERVER, ['-f', path, '-D', 'FOREGROUND'], { stdio: 'ignore' });
  onTestFinished(async () => {
    if (apache.exitCode !== null) return;
    apache.kill();
    await once(apache, 'exit');
  });
  await vi.waitFor(
    async () => {
      if (!(await listens(url)))
        throw new Error(`Apache does not answer on ${url.host}; its log is ${directory}/error.log`);
    },
    { timeout: 20_000 },
  );
  return url;
}
