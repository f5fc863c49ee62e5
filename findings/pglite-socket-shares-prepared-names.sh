#!/usr/bin/env bash
# @electric-sql/pglite-socket 0.2.17 with PGlite 0.5.14 and pg 8.22.0: clients share the names of prepared statements.
# Guessed: with `maxConnections: 2` each client has what a connection of PostgreSQL has to itself, names of statements among it.
# Seen: all clients are one session. A statement that one has prepared by name fails for the other with 42P05 (`already exists`), and a setting
# (SET) of the one is the other's, too. With the default of one connection, a second client is sent a text that is no message of the protocol,
# which pg reports as a connection that ended unexpectedly.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite-socket@0.2.17 @electric-sql/pglite@0.5.14 pg@8.22.0 >/dev/null
cat >check.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import pg from 'pg';

const db = await PGlite.create();
async function serve(options) {
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, ...options });
  await server.start();
  const [, port] = /:(\d+)$/.exec(server.getServerConn());
  const connect = async () => {
    const client = new pg.Client({ host: '127.0.0.1', port: Number(port), user: 'postgres', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  return { server, connect };
}

const two = await serve({ maxConnections: 2 });
const [one, other] = [await two.connect(), await two.connect()];
const named = { name: 'mine', text: 'SELECT $1::int AS n', values: [1] };
await one.query(named);
const code = await other.query(named).then(() => 'none', (error) => error.code);
await one.query("SET application_name = 'one'");
const { rows } = await other.query('SHOW application_name');
await one.end();
await other.end();
await two.server.stop();

const single = await serve({});
const first = await single.connect();
const refused = await single.connect().then(() => 'none', (error) => error.message);
await first.end();
await single.server.stop();
console.log(`same name: ${code}; the other's setting: ${rows[0].application_name}; a second client of one: ${refused}`);
process.exit(code === '42P05' && rows[0].application_name === 'one' && /unexpectedly/.test(refused) ? 0 : 1);
JS
node check.mjs
