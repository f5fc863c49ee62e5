#!/usr/bin/env bash
# TypeORM 1.1.1 with better-sqlite3 12.11.1: a whole number in a column of texts is stored as `77` by an insert, and looked for as `77.0` by raw SQL.
# Guessed: a number that is given as a parameter is the number that the builder writes.
# Seen: TypeORM writes whole numbers into its SQL as literals, so that the column holds `77`. better-sqlite3 binds every number as a real, which
# the column's affinity turns into the text `77.0`. So `findOneBy({ code: 77 })` finds the row, and `query('… WHERE code = ?', [77])` does not;
# and a row that is inserted by `query('… VALUES (?)', [77])` holds `77.0`.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 better-sqlite3@12.11.1 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');
const Item = new EntitySchema({
  name: 'item',
  columns: { id: { type: Number, primary: true, generated: true }, code: { type: 'varchar' } },
});
(async () => {
  const source = await new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    synchronize: true,
    entities: [Item],
  }).initialize();
  const items = source.getRepository('item');
  await items.insert({ code: 77 });
  const [stored] = await source.query('SELECT code FROM item');
  const found = await items.findOneBy({ code: 77 });
  const bound = await source.query('SELECT code FROM item WHERE code = ?', [77]);
  const text = await source.query('SELECT code FROM item WHERE code = ?', ['77']);
  await source.query('INSERT INTO item (code) VALUES (?)', [77]);
  const codes = (await source.query('SELECT code FROM item ORDER BY id')).map(({ code }) => code);
  console.log(`stored ${JSON.stringify(stored.code)}; findOneBy finds ${found ? 'it' : 'nothing'}`);
  console.log(`a bound 77 finds ${bound.length}, a bound '77' finds ${text.length}; all: ${codes.join(', ')}`);
  const isAsSeen = stored.code === '77' && found && bound.length === 0 && text.length === 1 && codes[1] === '77.0';
  process.exitCode = isAsSeen ? 0 : 1;
})();
JS
node check.cjs
