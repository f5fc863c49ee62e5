import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DataSourceOptions } from 'typeorm';
import { freePort } from '../../scripts/free-ports.mjs';

/** A PgBouncer in front of a server: it gives each transaction whichever session is free. */
export interface TransactionPooler {
  /** How to connect through it. */
  through(options: DataSourceOptions): DataSourceOptions;
  stop(): Promise<void>;
}

const PATHS = ['/usr/sbin/pgbouncer', '/usr/local/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'];

/** Where PgBouncer is; nowhere, and it is said, where it is not installed. */
export function installedPooler(): string | undefined {
  const binary = PATHS.find((path) => existsSync(path));
  if (!binary) console.log('PgBouncer is not installed: the tests through a transaction pooler are skipped');
  return binary;
}

/** Starts it for the server that the options lead to. */
export async function transactionPooler(binary: string, server: DataSourceOptions): Promise<TransactionPooler> {
  const { host, port, username, password } = server as unknown as Record<string, string>;
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-pgbouncer-'));
  const listenPort = await freePort();
  const file = join(directory, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]\n* = host=${host} port=${port} user=${username}${password ? ` password=${password}` : ''}\n` +
      `[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${listenPort}\nunix_socket_dir =\nauth_type = any\n` +
      'pool_mode = transaction\ndefault_pool_size = 20\n',
  );
  const who = unprivileged();
  if (who) for (const path of [directory, file]) chownSync(path, who.uid, who.gid);
  const process_ = spawn(binary, [file], { ...who, stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    const said: string[] = [];
    process_.once('error', reject);
    process_.once('exit', () => reject(new Error(`PgBouncer did not start: ${said.join('\n')}`)));
    createInterface({ input: process_.stderr }).on('line', (line) => {
      if (said.length < 20) said.push(line);
      if (line.includes('process up')) resolve();
    });
  });
  return {
    through: (options) => ({ ...options, host: '127.0.0.1', port: listenPort }) as DataSourceOptions,
    stop: async () => {
      const exited = once(process_, 'exit');
      process_.kill('SIGTERM');
      await exited;
      rmSync(directory, { recursive: true });
    },
  };
}

/** PgBouncer refuses to run as root. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.platform === 'win32' || userInfo().uid !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
