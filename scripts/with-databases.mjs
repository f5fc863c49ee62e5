// with-databases.mjs [--only postgres|mariadb] [--private] COMMAND…: runs the command with the databases that tests can
// have, and says which these are. Servers are looked for on their usual ports, or where DATABASE_URL says. Where there
// is no PostgreSQL, or with --private, one is started from installed binaries. --only selects one database for all
// tests, and fails where it cannot be had.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { startPrivatePostgres } from './private-postgres.mjs';

const say = (line) => process.stdout.write(`${line}\n`);

const SERVERS = {
  postgres: { name: 'PostgreSQL', schemes: ['postgres:', 'postgresql:'], usual: 'postgres://postgres@127.0.0.1:5432' },
  mariadb: { name: 'MariaDB', schemes: ['mysql:', 'mariadb:'], usual: 'mysql://root@127.0.0.1:3306' },
};
const PORTS = { 'postgres:': 5432, 'postgresql:': 5432 };

const own = process.argv.slice(2);
const at = own.findIndex((word, index) => !word.startsWith('--') && own[index - 1] !== '--only');
const [command, ...args] = at < 0 ? [] : own.slice(at);
const { values } = parseArgs({
  args: at < 0 ? own : own.slice(0, at),
  options: { only: { type: 'string' }, private: { type: 'boolean', default: false } },
});
if (!command || (values.only !== undefined && !(values.only in SERVERS))) {
  say('Usage: with-databases.mjs [--only postgres|mariadb] [--private] COMMAND…');
  process.exit(2);
}

const env = { ...process.env };
let privatePostgres;

function urlOf({ schemes, usual }) {
  const given = process.env.DATABASE_URL ?? '';
  return new URL(schemes.some((scheme) => given.startsWith(scheme)) ? given : usual);
}

function answers({ protocol, hostname, port }) {
  return new Promise((resolve) => {
    const socket = connect(Number(port) || (PORTS[protocol] ?? 3306), hostname);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** What is said about the server; undefined where there is none. */
async function have(kind) {
  const url = urlOf(SERVERS[kind]);
  const isThere = !(kind === 'postgres' && values.private) && (await answers(url));
  if (isThere) return { there: true, how: `answers on ${url.host}` };
  const nothing = `nothing answers on ${url.host}`;
  if (kind !== 'postgres') return { there: false, how: nothing };
  try {
    privatePostgres = await startPrivatePostgres();
    env.FILES_TEST_POSTGRES = privatePostgres.url;
    return { there: true, how: `a private server on ${new URL(privatePostgres.url).host}, from installed binaries` };
  } catch (error) {
    return { there: false, how: `${nothing}, and a private one cannot be started: ${error.message}` };
  }
}

const kinds = values.only ? [values.only] : Object.keys(SERVERS);
const found = [];
if (!values.only) say('SQLite: runs, embedded');
for (const kind of kinds) {
  const { there, how } = await have(kind);
  found.push(there);
  say(`${SERVERS[kind].name}: ${there ? 'runs' : 'SKIPPED'}, ${how}`);
}
if (values.only) env.FILES_TEST_DATABASES = values.only;

let code = 1;
if (values.only && !found[0]) say('Nothing was run.');
else {
  const child = spawn(command, args, { env, stdio: 'inherit', shell: process.platform === 'win32' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  code = await new Promise((resolve) => {
    child.once('exit', (exitCode, signal) => resolve(signal ? 1 : exitCode));
    child.once('error', (error) => {
      say(String(error));
      resolve(127);
    });
  });
}
await privatePostgres?.stop();
process.exitCode = code;
