#!/usr/bin/env bash
# pg-boss 12.38.0: `supervise(queue)` that is called by hand fails the jobs whose time is over once a minute at most, and does not say so.
# Guessed: each call looks for jobs that are over their `expireInSeconds`, as a test or a script that calls it wants.
# Seen: the first call gives the expired job back ("retry"). The job is taken again and expires again; the second call, a second and a half later,
# resolves in the same way and leaves it "active". The calls share `monitorIntervalSeconds` (60 by default, 1 at least) with the timer, also with
# `supervise: false`, where there is no timer. With `monitorIntervalSeconds: 1` the second call gives the job back.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg-boss@12.38.0 >/dev/null
cat >check.mjs <<'JS'
import { setTimeout as delay } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';
const connectionString = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
const statesWith = async (options) => {
  const schema = `finding_${process.pid}`;
  const boss = new PgBoss({ connectionString, schema, schedule: false, supervise: false, ...options });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('queue', { expireInSeconds: 1, retryLimit: 9, retryDelay: 0 });
  await boss.send('queue', {});
  const states = [];
  for (let time = 0; time < 2; time++) {
    await boss.fetch('queue');
    await delay(1_500);
    await boss.supervise('queue');
    const { rows } = await boss.getDb().executeSql(`SELECT state FROM ${schema}.job`);
    states.push(rows[0].state);
  }
  await boss.getDb().executeSql(`DROP SCHEMA ${schema} CASCADE`);
  await boss.stop({ graceful: false });
  return states.join(', ');
};
const [byDefault, everySecond] = [await statesWith({}), await statesWith({ monitorIntervalSeconds: 1 })];
console.log(`after two calls: ${byDefault}; with monitorIntervalSeconds 1: ${everySecond}`);
process.exit(byDefault === 'retry, active' && everySecond === 'retry, retry' ? 0 : 1);
JS
timeout 60 node check.mjs
