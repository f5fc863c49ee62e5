#!/usr/bin/env bash
# pg-boss 10.4.2: when the database fails a `fetch()`, it resolves with an empty list, as if there were no job, and emits no 'error'.
# Expected: it rejects, as `send()` does for the same failure, so that a worker can tell an idle queue from a database that does not answer.
# Seen: with a statement timeout while another session holds a lock on the table, fetch() gives [], and send() rejects with 57014.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg-boss@10.4.2 pg@8.16.3 >/dev/null
cat >check.cjs <<'JS'
const PgBoss = require('pg-boss');
const { Client } = require('pg');
(async () => {
  const connectionString = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const schema = `finding_${process.pid}`;
  const boss = new PgBoss({ connectionString, schema, supervise: false, schedule: false, statement_timeout: 300 });
  let events = 0;
  boss.on('error', () => events++);
  await boss.start();
  await boss.createQueue('queue');
  await boss.send('queue', { n: 1 });
  const other = new Client({ connectionString });
  await other.connect();
  await other.query('BEGIN');
  await other.query(`LOCK TABLE ${schema}.job IN ACCESS EXCLUSIVE MODE`);
  const fetched = await boss.fetch('queue').then((jobs) => `gave ${JSON.stringify(jobs)}`, ({ code }) => `rejected with ${code}`);
  const sent = await boss.send('queue', { n: 2 }).then(() => 'resolved', ({ code }) => `rejected with ${code}`);
  await other.query('ROLLBACK');
  const later = (await boss.fetch('queue')).length;
  console.log(`fetch() ${fetched}, error events: ${events}; send() ${sent}; without the lock fetch() gave ${later} job`);
  await other.query(`DROP SCHEMA ${schema} CASCADE`);
  await other.end();
  await boss.stop({ graceful: false, wait: true });
  process.exitCode = fetched === 'gave []' && events === 0 && sent === 'rejected with 57014' && later === 1 ? 0 : 1;
})();
JS
timeout 60 node check.cjs
