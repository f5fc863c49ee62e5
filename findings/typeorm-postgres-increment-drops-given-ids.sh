#!/usr/bin/env bash
# TypeORM 1.1.1: an id that is given for a `generated: 'increment'` column is dropped without an error on PostgreSQL, and kept on SQLite.
# Guessed: insert(), save() and upsert() of { id: 77 } make row 77 on every database, as they do for `generated: 'uuid'`.
# Seen: on PostgreSQL the column is left out of the INSERT, the sequence gives another id, and the saved entity shows that one; also in
# upsert(…, ['id']), which therefore always inserts. The same calls make rows 77, 78 and 79 on SQLite.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 pg@8.23.1 better-sqlite3@12.11.1 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');
const name = `given_ids_${process.pid}`;
const Item = new EntitySchema({
  name,
  columns: { id: { type: 'int', primary: true, generated: 'increment' }, text: { type: 'varchar', nullable: true } },
});
async function idsOn(options) {
  const source = await new DataSource({ ...options, entities: [Item], synchronize: true }).initialize();
  const items = source.getRepository(name);
  await items.insert({ id: 77, text: 'insert' });
  const saved = await items.save({ id: 78, text: 'save' });
  await items.upsert({ id: 79, text: 'upsert' }, ['id']);
  await items.upsert({ id: 79, text: 'once more' }, ['id']);
  const rows = await items.find({ order: { id: 'ASC' } });
  await source.query(`DROP TABLE ${name}`);
  await source.destroy();
  const ids = rows.map(({ id, text }) => `${id} ${text}`).join(', ');
  console.log(`${options.type}: ${ids}; save() gave ${saved.id}`);
  return ids;
}
(async () => {
  const url = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const postgres = await idsOn({ type: 'postgres', url });
  const sqlite = await idsOn({ type: 'better-sqlite3', database: ':memory:' });
  const isAsSeen = postgres === '1 insert, 2 save, 3 upsert, 4 once more' && sqlite === '77 insert, 78 save, 79 once more';
  process.exitCode = isAsSeen ? 0 : 1;
})();
JS
node check.cjs
