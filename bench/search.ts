// How fast is a search among a million files? One owner's files of a type that are not older than a day, by name: the
// first page and the thousandth.

import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { FilesModule, FilesService } from '../lib/index.js';
import { memoryStorage } from '../lib/storage/adapters/memory.storage.js';
import type { PgPlace } from './attach/pg.service.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { fillTables } from './support/files-table.js';

const FILES = 1_000_000;
const LIMIT = 20;
const PAGE = 1_000;
const SEARCHES = 20;
/** The owner has a twentieth of the files, of which four of five match. */
const OWNERS = 20;
const SINCE = 1_700_000_000_000;

/** The names of a page, and how to get the next. */
interface Page {
  readonly names: readonly string[];
  readonly next: unknown;
}

type Search = (from: unknown) => Promise<Page>;

export async function search(): Promise<void> {
  await withFilesDatabase('postgres', async (database, source) => {
    await fill(source);
    const pool = newPool(database as unknown as PgPlace);
    const app = await open(database);
    try {
      const searches: [name: string, search: Search][] = [
        ['by hand', byHand(pool)],
        ['nestjs-files', byOurs(app.get(FilesService))],
      ];
      const late = await Promise.all(searches.map(([, one]) => walk(one, PAGE - 1)));
      const [first = [], second = []] = await Promise.all(
        searches.map(async ([, one], at) => (await one(late[at])).names),
      );
      if (first.length !== LIMIT || first.join() !== second.join())
        throw new Error(`Page ${PAGE} differs: ${first[0]} and ${second[0]}.`);
      await compare(
        'Page 1',
        searches.map(([name, one]) => ({ name, times: [], ask: () => one(undefined) })),
      );
      await compare(
        `Page ${PAGE}`,
        searches.map(([name, one], at) => ({ name, times: [], ask: () => one(late[at]) })),
      );
    } finally {
      await app.close();
      await pool.end();
    }
  });
}

interface Asked {
  readonly name: string;
  /** Milliseconds. */
  readonly times: number[];
  ask(): Promise<Page>;
}

async function compare(title: string, asked: readonly Asked[]): Promise<void> {
  const contestants = asked.map(({ name, ask, times }) => ({
    name,
    round: async () => {
      const begun = performance.now();
      for (let n = 0; n < SEARCHES; n++) {
        const before = performance.now();
        await ask();
        times.push(performance.now() - before);
      }
      return (SEARCHES * 1000) / (performance.now() - begun);
    },
  }));
  for (const { round } of contestants) await round();
  for (const { times } of asked) times.length = 0;
  printStandings(`${title} of ${LIMIT} files among ${FILES}, postgres`, 'searches/s', await contest(contestants, 7));
  for (const { name, times } of asked) {
    const p99 = times.toSorted((one, other) => one - other)[Math.ceil(times.length * 0.99) - 1];
    console.log(`${name}: 99 of 100 searches within ${p99?.toFixed(1)} ms`);
  }
}

async function walk(one: Search, pages: number): Promise<unknown> {
  let from: unknown;
  for (let n = 0; n < pages; n++) from = (await one(from)).next;
  return from;
}

const COLUMNS = 'id, name, storage, content_type, size, created_at, owner_type, owner_id, pinned';
const WHERE = `owner_type = 'user' AND owner_id = 'u7' AND content_type = 'application/pdf' AND created_at >= ${SINCE}`;
const COUNT = `SELECT count(*)::int AS count FROM files_file WHERE ${WHERE}`;
const FIRST = `SELECT ${COLUMNS} FROM files_file WHERE ${WHERE} ORDER BY name, id LIMIT ${LIMIT}`;
const AFTER = `SELECT ${COLUMNS} FROM files_file WHERE ${WHERE} AND (name, id) > ($1, $2) ORDER BY name, id LIMIT ${LIMIT}`;

/** As the library does, it tells how many there are. */
function byHand(pool: pg.Pool): Search {
  return async (from) => {
    await pool.query({ name: 'count', text: COUNT });
    const page =
      from === undefined ? { name: 'first', text: FIRST } : { name: 'after', text: AFTER, values: from as string[] };
    const { rows } = await pool.query<{ id: string; name: string }>(page);
    const last = rows.at(-1);
    return { names: rows.map(({ name }) => name), next: last && [last.name, last.id] };
  };
}

function byOurs(files: FilesService): Search {
  const filters = { contentType: 'application/pdf', createdAt: { $gte: new Date(SINCE) } };
  return async (from) => {
    const more = from === undefined ? {} : { cursor: from as string };
    const { results, next } = await files.scan({
      ownerType: 'user',
      ownerId: 'u7',
      filters,
      sort: 'name',
      limit: LIMIT,
      ...more,
    });
    return { names: results.map(({ name }) => name), next };
  };
}

async function fill(source: DataSource): Promise<void> {
  await fillTables(source, FILES, OWNERS);
  await source.query(
    `UPDATE files_file SET name = md5(id::text), content_type = CASE WHEN ('x' || right(md5(id::text), 2))::bit(8)::int < 205 THEN 'application/pdf' ELSE 'image/png' END`,
  );
  // What an application that sorts by name adds.
  await source.query('CREATE INDEX by_name ON files_file (owner_type, owner_id, name, id)');
  await source.query('VACUUM FULL ANALYZE files_file');
}

function newPool({ host, username, database }: PgPlace): pg.Pool {
  return new pg.Pool({ host, user: username, database, max: 10 });
}

function open(database: DataSourceOptions): Promise<INestApplicationContext> {
  const imports = [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false }),
  ];
  class AppModule {}
  return NestFactory.createApplicationContext({ module: AppModule, imports }, { logger: ['error'] });
}
