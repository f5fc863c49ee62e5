#!/usr/bin/env bash
# pg-boss 10.4.2: of two jobs with one `singletonKey` and `singletonSeconds` in one call of `insert()`, the last one is kept. Of the same two jobs
# in two calls of `send()`, the first one is kept.
# Expected: the first one in both, because a job with the key is there already when the second one comes.
# Seen: insert() keeps { n: 2 }, without an error; send() keeps { n: 1 } and gives null for the second.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg-boss@10.4.2 >/dev/null
cat >check.cjs <<'JS'
const PgBoss = require('pg-boss');
(async () => {
  const connectionString = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const schema = `finding_${process.pid}`;
  const boss = new PgBoss({ connectionString, schema, supervise: false, schedule: false });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  const key = { singletonKey: 'k', singletonSeconds: 3600 };
  const kept = async (queue) => (await boss.fetch(queue, { batchSize: 10 })).map(({ data }) => data.n).join();
  await boss.createQueue('inserted');
  await boss.insert([1, 2].map((n) => ({ name: 'inserted', data: { n }, ...key })));
  await boss.createQueue('sent');
  const sent = [];
  for (const n of [1, 2]) sent.push(await boss.send('sent', { n }, key));
  const [inserted, first] = [await kept('inserted'), await kept('sent')];
  console.log(`insert() kept ${inserted}; send() kept ${first} and gave ${sent.map((id) => (id === null ? 'null' : 'an id')).join(', ')}`);
  const db = boss.getDb ? boss.getDb() : undefined;
  await db?.executeSql?.(`DROP SCHEMA ${schema} CASCADE`);
  await boss.stop({ graceful: false, wait: true });
  process.exitCode = inserted === '2' && first === '1' && sent[1] === null ? 0 : 1;
})();
JS
timeout 60 node check.cjs
