import { resolve } from 'node:path';
import { realpath } from 'node:fs/promises';
import type { DataSource } from 'typeorm';
import { sharesConnection } from '../../unit-of-work/one-connection/shared-connection.js';
import { ManagedFile } from '../managed-file.entity.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import type { DatabaseFamily } from '../../unit-of-work/dialects/sql-dialect.js';

/**
 * The identity that tells this database from a copy of it: the option `installation` or, without it, the server
 * (PostgreSQL), the name of the database or the path of its file, and the table of files. `undefined` for a database in
 * memory, of which there is no copy, and for PGlite, which does not tell whether it is in memory.
 */
export async function databaseIdentity(dataSource: DataSource, installation?: string): Promise<string | undefined> {
  if (isInMemory(dataSource)) return undefined;
  if (installation !== undefined) return `installation ${installation}`;
  const where = await PLACES[dialectOf(dataSource).family](dataSource);
  return where && `${where} ${dataSource.getMetadata(ManagedFile).tablePath}`;
}

/** Where the database is, if that tells it from a copy. */
const PLACES: Readonly<Record<DatabaseFamily, (dataSource: DataSource) => Promise<string | undefined>>> = {
  postgres: postgresPlace,
  mysql: mysqlPlace,
  sqlite: sqlitePlace,
  other: sqlitePlace,
};

async function postgresPlace(dataSource: DataSource): Promise<string | undefined> {
  const [row] = await dataSource.query<{ name: string; schema: string; mayAsk: boolean }[]>(
    'SELECT current_database() AS "name", current_schema() AS "schema", ' +
      `has_function_privilege('pg_control_system()', 'execute') AS "mayAsk"`,
  );
  if (sharesConnection(dataSource)) return undefined;
  return `postgres ${row?.mayAsk ? await systemOf(dataSource) : '-'} ${row?.name} ${row?.schema}`;
}

async function mysqlPlace(dataSource: DataSource): Promise<string> {
  const [row] = await dataSource.query<{ name: string }[]>('SELECT DATABASE() AS name');
  return `mysql ${row?.name}`;
}

async function sqlitePlace({ options: { database } }: DataSource): Promise<string> {
  const path = resolve(String(database));
  return `sqlite ${await realpath(path).catch(() => path)}`;
}

/** The same for a server and its replicas, from its making on. */
async function systemOf(dataSource: DataSource): Promise<string | undefined> {
  const [row] = await dataSource.query<{ system: string }[]>(
    'SELECT system_identifier::text AS "system" FROM pg_control_system()',
  );
  return row?.system;
}

function isInMemory({ options: { type, database } }: DataSource): boolean {
  return type === 'sqljs' || (type === 'better-sqlite3' && (database === ':memory:' || database === ''));
}
