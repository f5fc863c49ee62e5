import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
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

/**
 * Starts nginx in front of a server, as the distribution has it but for the limit of bodies, perhaps with more
 * locations; it ends with the test.
 */
export async function nginxBefore(port: number, directives: readonly string[] = [], locations = ''): Promise<URL> {
  const passed = directives.map((one) => `${one};`).join(' ');
  const { url, stop } = await startNginx(
    `${locations} location / { proxy_pass http://127.0.0.1:${port}; ${passed} }`,
    'client_max_body_size 0;',
  );
  onTestFinished(stop);
  return url;
}

export interface Nginx {
  readonly url: URL;
  /** Its errors so far. */
  readonly log: () => string;
  /** Gives it other blocks beside the server. Resolves when no worker has the old ones. */
  readonly reload: (http: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts nginx with one server that has these directives, and with others beside it. */
export async function startNginx(server: string, http = ''): Promise<Nginx> {
  const directory = newDirectory();
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const configuration = (others: string): string => `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    pid ${directory}/nginx.pid;
    error_log ${directory}/error.log;
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
      ${others}
      server {
        listen ${url.host};
        ${server}
      }
    }`;
  const path = join(directory, 'nginx.conf');
  writeFileSync(path, configuration(http));
  const nginx = spawn('nginx', ['-p', directory, '-c', path], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (nginx.exitCode !== null) return;
    nginx.kill();
    await once(nginx, 'exit');
  };
  const workers = (): string[] =>
    readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8').split(' ').filter(Boolean);
  const reload = async (others: string): Promise<void> => {
    writeFileSync(path, configuration(others));
    const before = workers();
    nginx.kill('SIGHUP');
    await vi.waitFor(
      () => {
        const now = workers();
        if (now.length === 0 || before.some((worker) => now.includes(worker)))
          throw new Error(`nginx has old workers; its log is ${directory}/error.log`);
      },
      { timeout: 20_000 },
    );
  };
  try {
    await vi.waitFor(
      async () => {
        if (!(await listens(url)))
          throw new Error(`nginx does not answer on ${url.host}; its log is ${directory}/error.log`);
      },
      { timeout: 20_000 },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, log: () => readFileSync(join(directory, 'error.log'), 'utf8'), reload, stop };
}
