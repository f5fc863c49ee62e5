import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FILES_ENTITIES } from '../../lib/entry/entities.js';
import { Package } from './files-table.js';

export const BENCH_DATABASES = ['postgres', 'mariadb', 'sqlite'] as const;
export type BenchDatabase = (typeof BENCH_DATABASES)[number];

const SERVERS = {
  postgres: { type: 'postgres', host: '127.0.0.1', username: 'postgres' },
  mariadb: { type: 'mariadb', host: '127.0.0.1', username: 'root' },
} as const;

/**
 * Runs `work` on a new database that has the tables of files and nothing in them; skips it where the server does not
 * answer.
 */
export async function withFilesDatabase(
  kind: BenchDatabase,
  work: (database: DataSourceOptions, source: DataSource) => Promise<void>,
): Promise<void> {
  const name = `files_bench_${randomBytes(6).toString('hex')}`;
  const database = await makeDatabase(kind, name);
  if (!database) return;
  try {
    const options = { ...database, entities: [...FILES_ENTITIES, Package], synchronize: true } as DataSourceOptions;
    const source = await new DataSource(options).initialize();
    try {
      await work(database, source);
    } finally {
      await source.destroy();
    }
  } finally {
    await dropDatabase(kind, name);
  }
}

async function makeDatabase(kind: BenchDatabase, name: string): Promise<DataSourceOptions | undefined> {
  if (kind === 'sqlite') return { type: 'better-sqlite3', database: join(tmpdir(), `${name}.sqlite`), enableWAL: true };
  try {
    await administer(kind, `CREATE DATABASE ${name}`);
  } catch (error) {
    console.log(`${kind} was skipped: ${String(error)}`);
    return undefined;
  }
  return { ...SERVERS[kind], database: name, poolSize: 10 };
}

async function dropDatabase(kind: BenchDatabase, name: string): Promise<void> {
  if (kind !== 'sqlite') return administer(kind, `DROP DATABASE ${name}${kind === 'postgres' ? ' WITH (FORCE)' : ''}`);
  for (const suffix of ['', '-wal', '-shm']) await rm(join(tmpdir(), `${name}.sqlite${suffix}`), { force: true });
}

async function administer(kind: 'postgres' | 'mariadb', statement: string): Promise<void> {
  const source = await new DataSource({
    ...SERVERS[kind],
    database: kind === 'postgres' ? 'postgres' : 'test',
  }).initialize();
  try {
    await source.query(statement);
  } finally {
    await source.destroy();
  }
}
