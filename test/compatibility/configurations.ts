import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { DataSource, DefaultNamingStrategy } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { reachableDatabases } from '../support/databases.js';
import { pgliteBehindSocket, pgliteHere } from '../support/pglite.js';
import { installedPooler, transactionPooler } from '../support/transaction-pooler.js';
import type { Platform } from '../support/http-app.js';

/** How an application is set up, and what for. */
export interface Configuration {
  /** As docs/compatibility.md has it. */
  readonly name: string;
  readonly kind: 'memory' | 'file' | 'postgres' | 'mariadb';
  /** Runs in `npm test`, too. */
  readonly isSample?: boolean;
  readonly platform?: Platform;
  /** Whether its tables come from `synchronize`. @default FILES_MIGRATIONS */
  readonly isSynchronized?: boolean;
  /** Whether TypeORM would change the tables for ever, as docs/migrations.md tells. */
  readonly isNeverAlike?: boolean;
  readonly files?: { readonly preparedStatements?: boolean };
  /** What differs in the data source, from its tables on. */
  readonly tables?: object;
  /** What differs when the application runs. */
  readonly options?: object;
  /** What it needs besides its database, if that is there; says so if not. */
  readonly needs?: () => unknown;
  /** What differs as soon as there is a database; with what undoes it. */
  prepare?(database: DataSourceOptions): Promise<Prepared>;
}

export interface Prepared {
  readonly options: DataSourceOptions;
  undo?(): Promise<void>;
  /** Once the database is dropped. */
  undoLast?(): Promise<void>;
}

class SnakeCase extends DefaultNamingStrategy {
  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    const words = [...prefixes, given ?? property].join('_');
    return words.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
}

class Renamed extends DefaultNamingStrategy {
  override tableName(target: string, given: string | undefined): string {
    return `Tbl_${given ?? target}`;
  }

  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    return `c_${super.columnName(property, given as string, prefixes)}`;
  }
}

async function run(options: DataSourceOptions, ...statements: string[]): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  for (const sql of statements) await dataSource.query(sql);
  await dataSource.destroy();
}

function defaultingTo(level: string): Configuration['prepare'] {
  return async (options) => {
    await run(options, `ALTER DATABASE ${String(options.database)} SET default_transaction_isolation = '${level}'`);
    return { options };
  };
}

const asRole: Configuration['prepare'] = async (options) => {
  const role = `files_role_${randomUUID().slice(-12)}`;
  await run(
    options,
    `CREATE ROLE ${role} LOGIN SUPERUSER`,
    `ALTER ROLE ${role} SET default_transaction_isolation = 'serializable'`,
  );
  const maintenance = { ...options, database: 'postgres' } as DataSourceOptions;
  return {
    options: { ...options, username: role } as DataSourceOptions,
    undoLast: () => run(maintenance, `DROP ROLE ${role}`),
  };
};

const inSchema: Configuration['prepare'] = async (options) => {
  await run(options, 'CREATE SCHEMA app');
  return { options: { ...options, schema: 'app' } as DataSourceOptions };
};

const throughPooler: Configuration['prepare'] = async (options) => {
  const pooler = await transactionPooler(installedPooler()!, options);
  return { options: pooler.through(options), undo: pooler.stop };
};

/** A slave that is the master, so that what differs is the way there. */
const replicated: Configuration['prepare'] = async ({ type, ...login }) => {
  return { options: { type, replication: { master: login, slaves: [login] } } as unknown as DataSourceOptions };
};

/** Beside the file that is not used. */
const inThisProcess: Configuration['prepare'] = ({ database }) =>
  Promise.resolve({ options: pgliteHere(join(dirname(String(database)), 'pglite')) });

const behindSocket: Configuration['prepare'] = async () => {
  const { options, drop } = await pgliteBehindSocket();
  return { options, undo: drop };
};

const ALWAYS_CACHED = { cache: { type: 'database', alwaysEnabled: true, duration: 60_000 } };
const types = {
  getTypeParser: (oid: number, format?: 'text') =>
    oid === 20 ? (text: string) => BigInt(text) : pg.types.getTypeParser(oid, format),
};

interface Sqlite {
  pragma(source: string): unknown;
  defaultSafeIntegers(on: boolean): unknown;
}

export const CONFIGURATIONS: readonly Configuration[] = [
  { name: 'SQLite in memory', kind: 'memory' },
  { name: 'SQLite in a file', kind: 'file', platform: 'fastify', isSample: true },
  { name: 'SQLite, `synchronize`', kind: 'file', isSynchronized: true },
  { name: 'SQLite, `enableWAL`', kind: 'file', options: { enableWAL: true } },
  { name: 'SQLite, `entityPrefix`', kind: 'file', tables: { entityPrefix: 'app_' } },
  { name: 'SQLite, a naming strategy in snake case', kind: 'file', tables: { namingStrategy: new SnakeCase() } },
  { name: 'SQLite, a naming strategy that renames tables', kind: 'file', tables: { namingStrategy: new Renamed() } },
  { name: 'SQLite, `cache: { alwaysEnabled: true }`', kind: 'file', isSynchronized: true, tables: ALWAYS_CACHED },
  {
    name: 'SQLite, `defaultSafeIntegers`',
    kind: 'file',
    options: { prepareDatabase: (connection: Sqlite) => connection.defaultSafeIntegers(true) },
  },
  {
    name: 'SQLite, `case_sensitive_like`',
    kind: 'file',
    options: { prepareDatabase: (connection: Sqlite) => connection.pragma('case_sensitive_like = ON') },
  },
  { name: 'PostgreSQL', kind: 'postgres' },
  { name: 'PostgreSQL, Fastify', kind: 'postgres', platform: 'fastify' },
  { name: 'PostgreSQL, `synchronize`', kind: 'postgres', isSynchronized: true },
  { name: 'PostgreSQL, `schema`', kind: 'postgres', prepare: inSchema },
  { name: 'PostgreSQL, `entityPrefix`', kind: 'postgres', tables: { entityPrefix: 'app_' } },
  {
    name: 'PostgreSQL, a naming strategy in snake case',
    kind: 'postgres',
    tables: { namingStrategy: new SnakeCase() },
  },
  {
    name: 'PostgreSQL, a naming strategy that renames tables',
    kind: 'postgres',
    isSample: true,
    tables: { namingStrategy: new Renamed() },
  },
  { name: 'PostgreSQL, a database at REPEATABLE READ', kind: 'postgres', prepare: defaultingTo('repeatable read') },
  { name: 'PostgreSQL, a database at SERIALIZABLE', kind: 'postgres', prepare: defaultingTo('serializable') },
  { name: 'PostgreSQL, a role at SERIALIZABLE', kind: 'postgres', prepare: asRole },
  { name: 'PostgreSQL, `isolationLevel`', kind: 'postgres', options: { isolationLevel: 'SERIALIZABLE' } },
  {
    name: 'PostgreSQL, PgBouncer, sessions by transaction',
    kind: 'postgres',
    files: { preparedStatements: false },
    needs: installedPooler,
    prepare: throughPooler,
  },
  { name: 'PostgreSQL, `replication`', kind: 'postgres', prepare: replicated },
  { name: 'PostgreSQL, a pool of 2', kind: 'postgres', options: { poolSize: 2 } },
  {
    name: 'PostgreSQL, `cache: { alwaysEnabled: true }`',
    kind: 'postgres',
    isSynchronized: true,
    tables: ALWAYS_CACHED,
  },
  { name: 'PostgreSQL, bigint as BigInt', kind: 'postgres', options: { extra: { types } } },
  {
    name: 'PostgreSQL, `standard_conforming_strings = off`',
    kind: 'postgres',
    options: { extra: { options: '-c standard_conforming_strings=off' } },
  },
  { name: 'PGlite, `typeorm-pglite`', kind: 'file', isSample: true, prepare: inThisProcess },
  { name: 'PGlite, `pglite-socket`', kind: 'file', prepare: behindSocket },
  { name: 'MariaDB', kind: 'mariadb', platform: 'fastify' },
  { name: 'MariaDB, `synchronize`', kind: 'mariadb', isSynchronized: true },
  { name: 'MariaDB, `type: mysql`', kind: 'mariadb', isSample: true, isNeverAlike: true, tables: { type: 'mysql' } },
  { name: 'MariaDB, `entityPrefix`', kind: 'mariadb', tables: { entityPrefix: 'app_' } },
  {
    name: 'MariaDB, a naming strategy that renames tables',
    kind: 'mariadb',
    tables: { namingStrategy: new Renamed() },
  },
  { name: 'MariaDB, `isolationLevel`', kind: 'mariadb', options: { isolationLevel: 'SERIALIZABLE' } },
  { name: 'MariaDB, `replication`', kind: 'mariadb', prepare: replicated },
  { name: 'MariaDB, `cache: { alwaysEnabled: true }`', kind: 'mariadb', isSynchronized: true, tables: ALWAYS_CACHED },
];

/** Those whose database answers: all, or a sample. */
export async function reachableConfigurations(which: 'all' | 'sample') {
  const databases = new Map((await reachableDatabases()).map((database) => [database.kind, database]));
  return CONFIGURATIONS.flatMap((configuration) => {
    const database = databases.get(configuration.kind);
    if (!database || (which === 'sample' && !configuration.isSample)) return [];
    return configuration.needs && !configuration.needs() ? [] : [{ ...configuration, database }];
  });
}
