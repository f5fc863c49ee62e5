#!/usr/bin/env bash
# typeorm-pglite 0.3.4 with TypeORM 1.1.1 and PGlite 0.5.14: a statement that fails ends the process although its caller has handled the error.
# Guessed: a query that is given a callback tells its error to the callback alone, as with `pg`.
# Seen: it calls back, and its promise, which nobody has, rejects as well. TypeORM looks for extensions at its start by callback and logs those
# that it cannot install (`uuid-ossp` is not in PGlite), so a data source with a generated uuid column is initialized, and an unhandled rejection
# follows, which ends the process where nothing listens. With `installExtensions: false` nothing fails.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 typeorm-pglite@0.3.4 @electric-sql/pglite@0.5.14 pg@8.22.0 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');
const { PGliteDriver } = require('typeorm-pglite');
const Item = new EntitySchema({ name: 'item', columns: { id: { type: 'uuid', primary: true, generated: 'uuid' } } });
const unhandled = [];
process.on('unhandledRejection', (error) => unhandled.push(String(error.message)));
(async () => {
  const { driver } = new PGliteDriver({});
  const client = await new Promise((resolve, reject) =>
    new driver.Pool({}).connect((error, given) => (error ? reject(error) : resolve(given))),
  );
  const told = await new Promise((resolve) => void client.query('SELECT no_such_function()', [], (error) => resolve(error)));
  await new Promise((resolve) => setTimeout(resolve, 200));
  console.log(`callback: ${told?.message}; unhandled: ${unhandled.join(', ') || 'nothing'}`);
  const direct = unhandled.splice(0).length;
  const source = await new DataSource({ type: 'postgres', driver, entities: [Item] }).initialize();
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(`initialized: ${source.isInitialized}; unhandled: ${unhandled.join(', ') || 'nothing'}`);
  process.exitCode = told && direct === 1 && source.isInitialized && unhandled.length > 0 ? 0 : 1;
  process.exit();
})();
JS
node check.cjs
