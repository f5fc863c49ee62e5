import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-ports.mjs';

/**
 * A PostgreSQL server of one's own, from installed binaries, on a free port and in a temporary directory. Throws with
 * the reason if it cannot be.
 */
export async function startPrivatePostgres() {
  const bin = findBinaries();
  const who = unprivileged();
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-postgres-'));
  try {
    if (who.uid !== undefined) chownSync(directory, who.uid, who.gid);
    const data = join(directory, 'data');
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
    execFileSync(join(bin, 'initdb'), initdb, { ...who, stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await freePort();
    const settings = ['fsync=off', 'max_connections=200', 'listen_addresses=127.0.0.1', `unix_socket_directories=`];
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    let server = await launch(join(bin, 'postgres'), args, who);
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      /** Throws out who is connected, stops, and starts again. */
      restart: async () => {
        await end(server);
        server = await launch(join(bin, 'postgres'), args, who);
      },
      stop: async () => {
        await end(server);
        rmSync(directory, { recursive: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

function findBinaries() {
  const candidates = [];
  try {
    candidates.push(execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: 'pipe' }).trim());
  } catch {
    // There is no pg_config: it comes with the files for development.
  }
  const debian = '/usr/lib/postgresql';
  if (existsSync(debian)) {
    const versions = readdirSync(debian).toSorted((one, other) => Number(other) - Number(one));
    candidates.push(...versions.map((version) => join(debian, version, 'bin')));
  }
  candidates.push('/usr/local/bin', '/opt/homebrew/bin');
  const bin = candidates.find((directory) => ['initdb', 'postgres'].every((name) => existsSync(join(directory, name))));
  if (!bin) throw new Error(`initdb and postgres are in none of ${candidates.join(', ')}`);
  return bin;
}

/** PostgreSQL refuses to run as root, so then as somebody else: postgres or nobody. */
function unprivileged() {
  if (process.platform === 'win32' || userInfo().uid !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // There is no such user.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
}

async function launch(path, args, who) {
  const server = spawn(path, args, { ...who, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = [];
  const ready = new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`PostgreSQL did not start: ${said.join('\n')}`)));
    // Read on, whoever listens: a full pipe would stop the server.
    createInterface({ input: server.stderr }).on('line', (line) => {
      if (said.length < 20) said.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
  });
  await ready;
  return server;
}

async function end(server) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGINT'); // "fast": https://www.postgresql.org/docs/current/server-shutdown.html
  await exited;
}
