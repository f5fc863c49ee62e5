import type { DataSource } from 'typeorm';
import type { Row } from './databases.js';

const FIRST = [
  `INSERT INTO note (id, body, amount) VALUES ('kept', 'old', 1)`,
  `INSERT INTO note (id, body, amount, deleted_at) VALUES ('gone', 'old', 1, '2020-01-01 00:00:00')`,
  `INSERT INTO person (id) VALUES ('ann')`,
  `INSERT INTO pet (id, owner_id) VALUES ('rex', 'ann'), ('stray', NULL)`,
  `INSERT INTO tag (id) VALUES ('red'), ('blue')`,
  `INSERT INTO person_tag (person_id, tag_id) VALUES ('ann', 'red')`,
  `INSERT INTO album (id) VALUES ('one')`,
  `INSERT INTO song (id, album_id) VALUES ('first', 'one')`,
  `INSERT INTO folder (id, mpath) VALUES ('root', 'root.')`,
  `INSERT INTO active_note (id, body) VALUES ('kept', 'old')`,
];

// Those that refer to others first.
const TABLES = [
  'person_tag',
  'pet',
  'person',
  'tag',
  'song',
  'album',
  'folder',
  'active_note',
  'watched',
  'audit',
  'note',
];

const EVERYTHING = [
  `SELECT 'note' AS kind, id AS a, body AS b, amount AS c, CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END AS d FROM note`,
  `SELECT 'person', id, '', 0, 0 FROM person`,
  `SELECT 'pet', id, owner_id, 0, 0 FROM pet`,
  `SELECT 'tag', id, '', 0, 0 FROM tag`,
  `SELECT 'person_tag', person_id, tag_id, 0, 0 FROM person_tag`,
  `SELECT 'album', id, '', 0, 0 FROM album`,
  `SELECT 'song', id, album_id, 0, 0 FROM song`,
  `SELECT 'folder', id, mpath, 0, 0 FROM folder`,
  `SELECT 'active_note', id, body, 0, 0 FROM active_note`,
  `SELECT 'watched', id, '', 0, 0 FROM watched`,
  `SELECT 'audit', id, '', 0, 0 FROM audit`,
].join(' UNION ALL ');

/** Puts the same first rows into the tables of unit-entities.ts, and nothing else. */
export async function seed(dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (manager) => {
    for (const table of TABLES) await manager.query(`DELETE FROM ${table}`);
    for (const sql of FIRST) await manager.query(sql);
  });
}

/** All rows of all tables, one line each. */
export async function snapshot(read: (sql: string) => Promise<Row[]>): Promise<string[]> {
  const rows = await read(EVERYTHING);
  return rows.map(({ kind, a, b, c, d }) => [kind, a, b, c, d].join(' ')).sort();
}
