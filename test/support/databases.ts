import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';

type Kind = 'memory' | 'file' | 'postgres' | 'mariadb';
export type Row = Record<string, unknown>;

/** What a test's data source has of its own. */
export interface OpenOptions {
  readonly entities: NonNullable<DataSourceOptions['entities']>;
  readonly subscribers?: NonNullable<DataSourceOptions['subscribers']>;
  readonly poolSize?: number;
}

/** A kind of database that tests can run on. */
export interface TestDatabase {
  readonly name: string;
  readonly kind: Kind;
  /** Makes an empty database of the caller's own. */
  create(): Promise<EmptyDatabase>;
  /** The same, with the tables of the caller's entities, and open. */
  open(options: OpenOptions): Promise<OpenDatabase>;
}

/** A database without tables, and with nobody in it. */
export interface EmptyDatabase {
  /** How to connect to it. */
  readonly options: DataSourceOptions;
  /** Drops it; whoever is connected still is thrown out. */
  drop(): Promise<void>;
}

/** A database that exists for one test file. */
export interface OpenDatabase {
  readonly dataSource: DataSource;
  /** Another data source on the same database, with connections of its own; SQLite in memory has none. */
  connect(options?: Partial<OpenOptions>): Promise<DataSource>;
  /** What others see: read through a connection of its own, where there can be a second one. */
  read(sql: string): Promise<Row[]>;
  /** Closes all connections and drops the database. */
  close(): Promise<void>;
}

type Target = DataSourceOptions & { poolSize?: number };

async function openOn({ options: target, drop }: EmptyDatabase, options: OpenOptions): Promise<OpenDatabase> {
  const { entities } = options;
  const shared = target.database === ':memory:';
  const dataSource = await new DataSource({ ...target, synchronize: true, ...options } as Target).initialize();
  const opened = [dataSource];
  const also = async (extra: Partial<OpenOptions>): Promise<DataSource> => {
    if (shared) throw new Error('A database in memory has one connection');
    const another = await new DataSource({ ...target, entities, ...extra } as Target).initialize();
    opened.push(another);
    return another;
  };
  const observer = shared ? dataSource : await also({ entities: [], poolSize: 1 });
  return {
    dataSource,
    connect: (extra = {}) => also(extra),
    read: (sql) => observer.query<Row[]>(sql),
    close: async () => {
      for (const one of opened.reverse()) if (one.isInitialized) await one.destroy();
      await drop();
    },
  };
}

function testDatabase(name: string, kind: Kind, create: TestDatabase['create']): TestDatabase {
  return { name, kind, create, open: async (options) => openOn(await create(), options) };
}

/** SQLite without a file: for tests that speak its dialect, whichever database the others run on. */
export const IN_MEMORY = { type: 'better-sqlite3', database: ':memory:' } as const;

const memory = testDatabase('SQLite in memory', 'memory', () =>
  Promise.resolve({ options: IN_MEMORY, drop: () => Promise.resolve() }),
);

// No test outlives a power failure.
const careless = (connection: { pragma(source: string): unknown }): void => {
  connection.pragma('synchronous = OFF');
};

const file = testDatabase('SQLite in a file', 'file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-files-'));
  const database = join(directory, 'test.sqlite');
  return {
    options: { type: 'better-sqlite3', database, prepareDatabase: careless },
    drop: () => rm(directory, { recursive: true }),
  };
});

interface Server {
  readonly name: string;
  readonly kind: Kind;
  readonly url: URL;
  readonly type: 'postgres' | 'mariadb';
}

function server({ name, kind, url, type }: Server): TestDatabase {
  return testDatabase(name, kind, async () => {
    const database = `files_test_${randomUUID().slice(-12)}`;
    const login = {
      type,
      host: url.hostname,
      port: Number(url.port),
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    };
    const maintenance = { ...login, database: url.pathname.slice(1), poolSize: 1 } as Target;
    const admin = await new DataSource(maintenance).initialize();
    await admin.query(`CREATE DATABASE ${database}`);
    if (type === 'postgres') await admin.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    return {
      options: { ...login, database, poolSize: 10 } as Target,
      drop: async () => {
        await admin.query(`DROP DATABASE ${database}${type === 'postgres' ? ' WITH (FORCE)' : ''}`);
        await admin.destroy();
      },
    };
  });
}

// A URL need not name the usual port.
const USUAL_PORTS: Record<string, string> = { postgres: '5432', mariadb: '3306' };

function serverUrl(kind: 'postgres' | 'mariadb', schemes: string[], usual: string): URL {
  const named = process.env[`FILES_TEST_${kind.toUpperCase()}`] ?? process.env['DATABASE_URL'] ?? '';
  const url = new URL(schemes.some((scheme) => named.startsWith(`${scheme}:`)) ? named : usual);
  url.port ||= USUAL_PORTS[kind]!;
  return url;
}

function servers(): Server[] {
  return [
    {
      name: 'PostgreSQL',
      kind: 'postgres',
      type: 'postgres',
      url: serverUrl('postgres', ['postgres', 'postgresql'], 'postgres://postgres@127.0.0.1:5432/postgres'),
    },
    {
      name: 'MariaDB',
      kind: 'mariadb',
      type: 'mariadb',
      url: serverUrl('mariadb', ['mysql', 'mariadb'], 'mysql://root@127.0.0.1:3306/'),
    },
  ];
}

/** The PostgreSQL server at this address. */
export function databaseOn(url: URL): TestDatabase {
  return server({ name: 'PostgreSQL', kind: 'postgres', type: 'postgres', url });
}

/** Whether a server answers there. */
export function listens(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(url.port), url.hostname);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

const SELECTABLE: Record<string, Kind[]> = { sqlite: ['memory', 'file'], postgres: ['postgres'], mariadb: ['mariadb'] };

/** Which databases to run on, where not on all: `FILES_TEST_DATABASES=postgres`, or several with commas. */
function selected(): Kind[] {
  const names = (process.env['FILES_TEST_DATABASES'] ?? '').split(',').filter((name) => name !== '');
  return names.flatMap((name) => {
    const kinds = SELECTABLE[name];
    if (!kinds) throw new Error(`FILES_TEST_DATABASES: "${name}" is none of ${Object.keys(SELECTABLE).join(', ')}`);
    return kinds;
  });
}

/**
 * SQLite, and the servers that answer; of the kinds that are named, or of all. Where databases were selected, only
 * these; but tests of one kind alone run on that one.
 */
export async function reachableDatabases(...kinds: Kind[]): Promise<TestDatabase[]> {
  const wanted = (kind: Kind): boolean => kinds.length === 0 || kinds.includes(kind);
  const isSelected = (kind: Kind): boolean => wanted(kind) && selected().includes(kind);
  const isAsked = [memory, file, ...servers()].some(({ kind }) => isSelected(kind)) ? isSelected : wanted;
  const found: TestDatabase[] = [memory, file].filter(({ kind }) => isAsked(kind));
  for (const one of servers().filter(({ kind }) => isAsked(kind))) {
    if (await listens(one.url)) found.push(server(one));
    else console.log(`${one.name} does not answer on ${one.url.host}: its tests are skipped`);
  }
  if (found.length === 0) await skipFile(`needs ${kinds.join(' or ')}`);
  return found;
}

/**
 * A skipped test that says why: Vitest takes a file without tests for a mistake. Processes that tests start import this
 * module without Vitest.
 */
async function skipFile(reason: string): Promise<void> {
  const { it } = await import('vitest');
  it.skip(reason);
}

/** The database of tests that need one, whatever kind it is: the first that was selected, else SQLite in memory. */
export async function theDatabase(): Promise<TestDatabase> {
  const [kind = 'memory'] = selected();
  const [found] = await reachableDatabases(kind);
  if (!found) throw new Error(`FILES_TEST_DATABASES: ${kind} was selected and does not answer`);
  return found;
}
