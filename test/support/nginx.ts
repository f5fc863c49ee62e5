import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { listens } from './databases.js';
import { newDirectory } from './files-directory.js';
import { freePort } from '../../scripts/free-ports.mjs';

/** Whether nginx is installed; says so where it is not. */
export function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('nginx is not installed: the tests behind it are skipped');
    return false;
  }
}

/** Starts nginx in front of a server, as the distribution has it but for the limit of bodies, perhaps with more locations; it ends with the test. */
export async function nginxBefore(port: number, directives: readonly string[] = [], locations = ''): Promise<URL> {
  const passed = directives.map((one) => `${one};`).join(' ');
  const { url, stop } = await startNginx(
    `${locations} location / { proxy_pass http://127.0.0.1:${port}; ${passed} }`,
    'client_max_body_size 0;',
  );
  onTestFinished(stop);
  return url;
}

/** Starts nginx with one server that has these directives, and with others beside it. */
export async function startNginx(server: string, http = ''): Promise<{ url: URL; stop: () => Promise<void> }> {
  const directory = newDirectory();
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const configuration = `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    pid ${directory}/nginx.pid;
    error_log ${directory}/error.log;
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
      ${http}
      server {
        listen ${url.host};
        ${server}
      }
    }`;
  const path = join(directory, 'nginx.conf');
  writeFileSync(path, configuration);
  const nginx = spawn('nginx', ['-p', directory, '-c', path], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (nginx.exitCode !== null) return;
    nginx.kill();
    await once(nginx, 'exit');
  };
  try {
    await vi.waitFor(async () => {
      if (!(await listens(url)))
        throw new Error(`nginx does not answer on ${url.host}; its log is ${directory}/error.log`);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}
