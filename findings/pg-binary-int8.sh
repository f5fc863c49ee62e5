#!/usr/bin/env bash
# pg 8.23.1 with `binary: true`: 64-bit integers come out as other numbers, and UUIDs as unreadable text, without an error.
# Documented: `binary` asks the server for results in the binary format, which are to be the same values.
# Seen: 2147483648 is read as 4022320384, -1 as -1171008540681310273; 4294967296 is right.
# Needs a PostgreSQL server: PGURL, or postgres://postgres@127.0.0.1:5432/postgres. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund pg@8.23.1 pg-types@2.2.0 >/dev/null
cat >check.cjs <<'JS'
const { Client } = require('pg');
(async () => {
  const connectionString = process.env.PGURL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const read = async (binary, type, value) => {
    const client = new Client({ connectionString, binary });
    await client.connect();
    const { rows } = await client.query(`SELECT $1::${type} AS value`, [value]);
    await client.end();
    return rows[0].value;
  };
  const numbers = ['1', '2147483648', '4294967295', '4294967296', '1795890000000', '-1'];
  const wrong = [];
  for (const number of numbers) {
    const [text, binary] = [String(await read(false, 'int8', number)), String(await read(true, 'int8', number))];
    console.log(`int8 ${number}: as text ${text}, binary ${binary}`);
    if (text !== binary) wrong.push(number);
  }
  const uuid = '0195e7c0-0000-7000-8000-000000000000';
  const binary = await read(true, 'uuid', uuid);
  console.log(`uuid ${uuid}: binary ${JSON.stringify(binary)}`);
  console.log(`wrong: ${wrong.join(', ')}`);
  const expected = ['2147483648', '4294967295', '1795890000000', '-1'].join();
  process.exitCode = wrong.join() === expected && binary !== uuid ? 0 : 1;
})();
JS
node check.cjs
