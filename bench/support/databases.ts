import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';

export type BenchDatabase = 'postgres' | 'mariadb' | 'sqlite';

const NAME = `files_bench_${process.pid}`;

// `bench` as a schema of its own would be dropped by others: each process that measures has a database of its own.
const SERVERS = {
  postgres: { type: 'postgres', host: '127.0.0.1', username: 'postgres' },
  mariadb: { type: 'mariadb', host: '127.0.0.1', username: 'root' },
} as const;

/** Makes an empty database, and gives what to connect to it with; undefined where its server does not answer. */
export async function makeDatabase(kind: BenchDatabase): Promise<DataSourceOptions | undefined> {
  if (kind === 'sqlite') return { type: 'better-sqlite3', database: join(tmpdir(), `${NAME}.sqlite`), enableWAL: true };
  try {
    await administer(kind, `CREATE DATABASE ${NAME}`);
  } catch (error) {
    console.log(`${kind} was skipped: ${String(error)}`);
    return undefined;
  }
  return { ...SERVERS[kind], database: NAME, poolSize: 10 };
}

export async function dropDatabase(kind: BenchDatabase): Promise<void> {
  if (kind !== 'sqlite') return administer(kind, `DROP DATABASE ${NAME}`);
  for (const suffix of ['', '-wal', '-shm']) await rm(join(tmpdir(), `${NAME}.sqlite${suffix}`), { force: true });
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
