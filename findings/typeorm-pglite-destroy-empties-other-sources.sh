#!/usr/bin/env bash
# typeorm-pglite 0.3.4 with TypeORM 1.1.1 and PGlite 0.5.14: destroying one data source takes the database in memory away from every other one.
# Guessed: data sources that are made with one PGliteDriver share its PGlite, which is closed with the last of them.
# Seen: destroy() of the first closes the one PGlite. The second data source is still initialized, and its next statement runs on a new, empty
# database: "relation ... does not exist", or no error where the statement needs no table.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 typeorm-pglite@0.3.4 @electric-sql/pglite@0.5.14 pg@8.22.0 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { DataSource } = require('typeorm');
const { PGliteDriver } = require('typeorm-pglite');
(async () => {
  const { driver } = new PGliteDriver({});
  const open = () => new DataSource({ type: 'postgres', driver, installExtensions: false }).initialize();
  const [first, second] = [await open(), await open()];
  await first.query('CREATE TABLE kept (n int)');
  await first.query('INSERT INTO kept VALUES (1)');
  const count = () => second.query('SELECT count(*)::int AS n FROM kept').then(([row]) => row.n, (error) => error.message);
  const before = await count();
  await first.destroy();
  const after = await count();
  const [row] = await second.query('SELECT 1 AS n');
  console.log(`the second source counts ${before}; once the first is destroyed: ${after}; SELECT 1 gives ${row.n}`);
  process.exit(before === 1 && /does not exist/.test(after) && row.n === 1 && second.isInitialized ? 0 : 1);
})();
JS
timeout 60 node check.cjs
