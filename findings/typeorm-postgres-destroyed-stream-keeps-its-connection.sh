#!/usr/bin/env bash
# typeorm 1.1.1 with pg 8.23.1 and pg-query-stream 4.17.0: a stream of a query builder that is destroyed before its end,
# without an error, never gives its connection back to the pool. After as many of them as the pool has connections,
# every query waits for ever.
# Expected: the connection returns to the pool once the stream has closed, as it does on MySQL and MariaDB.
# Seen: TypeORM waits for 'end' or 'error'; destroy() emits only 'close'. `break` in a `for await` loop destroys the stream
# with an error, and so gives the connection back.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 pg@8.23.1 pg-query-stream@4.17.0 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { once } = require('node:events');
const { DataSource } = require('typeorm');
(async () => {
  const url = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const ways = {
    'read to its end': async (stream) => { for await (const _ of stream); },
    'left with break': async (stream) => { for await (const _ of stream) break; },
    'destroyed': (stream) => void stream.destroy(),
  };
  const free = {};
  for (const [how, leave] of Object.entries(ways)) {
    const source = await new DataSource({ type: 'postgres', url, poolSize: 1 }).initialize();
    const query = source.createQueryBuilder().select('n').from('(SELECT generate_series(1, 10000) AS n)', 'numbers');
    const stream = await query.stream();
    const closed = once(stream, 'close').catch(() => undefined);
    await leave(stream);
    await closed;
    const next = source.query('SELECT 1').then(() => 'answers', () => 'fails');
    free[how] = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 2_000, 'waits'))]);
    console.log(`a stream that was ${how}: the next query ${free[how]}`);
  }
  process.exit(Object.values(free).join() === 'answers,answers,waits' ? 0 : 1);
})();
JS
timeout 60 node check.cjs
