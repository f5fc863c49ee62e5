#!/usr/bin/env bash
# TypeORM 1.1.1 with better-sqlite3 12.11.1: an update writes NULL for an undefined property of an embedded object, and leaves out one of the entity.
# Guessed: a property that is undefined is left as it is, wherever it stands.
# Seen: `update(1, { name: undefined, … })` keeps the name. `update(1, { photo: { path: 'new', author: undefined } })` sets the author to NULL. An
# instance of an embedded class whose fields are defined, as compilers of today define them, has such properties, also where
# `ColumnMetadata.setEntityValue()` makes it for one column: an update with it loses the other columns of the embedded object.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund typeorm@1.1.1 better-sqlite3@12.11.1 reflect-metadata@0.2.2 >/dev/null
cat >check.cjs <<'JS'
require('reflect-metadata');
const { Column, DataSource, Entity, PrimaryColumn } = require('typeorm');
const text = { type: 'varchar', nullable: true };
class Photo {
  path;
  author;
}
Column(text)(Photo.prototype, 'path');
Column(text)(Photo.prototype, 'author');
class Person {}
Entity()(Person);
PrimaryColumn({ type: 'integer' })(Person.prototype, 'id');
Column(text)(Person.prototype, 'name');
Column(() => Photo)(Person.prototype, 'photo');
(async () => {
  const source = await new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    synchronize: true,
    entities: [Person],
  }).initialize();
  const people = source.getRepository(Person);
  const rowAfter = async (change) => {
    await people.clear();
    await people.insert({ id: 1, name: 'Ada', photo: { path: 'old', author: 'Grace' } });
    await people.update(1, change);
    const [row] = await source.query('SELECT * FROM person');
    return `${row.name}/${row.photoPath}/${row.photoAuthor}`;
  };
  const made = {};
  people.metadata.columns.find(({ propertyPath }) => propertyPath === 'photo.path').setEntityValue(made, 'new');
  const outcomes = {
    'undefined in the entity': await rowAfter({ name: undefined, photo: { path: 'new' } }),
    'undefined in the embedded object': await rowAfter({ photo: { path: 'new', author: undefined } }),
    'an instance made for one column': await rowAfter(made),
  };
  console.log(outcomes);
  process.exitCode = Object.values(outcomes).join() === 'Ada/new/Grace,Ada/new/null,Ada/new/null' ? 0 : 1;
})();
JS
node check.cjs
