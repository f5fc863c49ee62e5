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
  /** Makes an empty database of the caller's own with the tables of its entities. */
  open(options: OpenOptions): Promise<OpenDatabase>;
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

async function openOn(target: Target, options: OpenOptions, shared: boolean, drop: () => Promise<void>) {
  const { entities } = options;
  const dataSource = await new DataSource({ ...target, synchronize: true, ...options } as Target).initialize();
  const opened = [dataSource];
  const also = async (extra: Partial<OpenOptions>): Promise<DataSource> => {
    if (shared) throw new Error('A database in memory has one connection');
    const another = await new DataSource({ ...target, entities, ...extra } as Target).initialize();
    opened.push(another);
    return another;
  };
  const observer = shared ? dataSource : await also({ entities: [], poolSize: 1 });
  const database: OpenDatabase = {
    dataSource,
    connect: (extra = {}) => also(extra),
    read: (sql) => observer.query<Row[]>(sql),
    close: async () => {
      for (const one of opened.reverse()) if (one.isInitialized) await one.destroy();
      await drop();
    },
  };
  return database;
}

const memory: TestDatabase = {
  name: 'SQLite in memory',
  kind: 'memory',
  open: (options) => openOn({ type: 'better-sqlite3', database: ':memory:' }, options, true, () => Promise.resolve()),
};

// No test outlives a power failure.
const careless = (connection: { pragma(source: string): unknown }): void => {
  connection.pragma('synchronous = OFF');
};

const file: TestDatabase = {
  name: 'SQLite in a file',
  kind: 'file',
  open: async (options) => {
    const directory = await mkdtemp(join(tmpdir(), 'nestjs-files-'));
    return openOn(
      { type: 'better-sqlite3', database: join(directory, 'test.sqlite'), prepareDatabase: careless },
      options,
      false,
      () => rm(directory, { recursive: true }),
    );
  },
};

interface Server {
  readonly name: string;
  readonly kind: Kind;
  readonly url: URL;
  readonly type: 'postgres' | 'mariadb';
}

function server({ name, kind, url, type }: Server): TestDatabase {
  const open = async (options: OpenOptions): Promise<OpenDatabase> => {
    const database = `files_test_${randomUUID().slice(-12)}`;
    const login = { type, host: url.hostname, port: Number(url.port), username: url.username, password: url.password };
    const admin = await new DataSource({
      ...login,
      database: url.pathname.slice(1),
      poolSize: 1,
    } as Target).initialize();
    await admin.query(`CREATE DATABASE ${database}`);
    if (type === 'postgres') await admin.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    return openOn({ ...login, database, poolSize: 10 } as Target, options, false, async () => {
      await admin.query(`DROP DATABASE ${database}${type === 'postgres' ? ' WITH (FORCE)' : ''}`);
      await admin.destroy();
    });
  };
  return { name, kind, open };
}

function servers(): Server[] {
  const given = process.env['DATABASE_URL'] ?? '';
  const of = (schemes: string[], fallback: string): URL =>
    new URL(schemes.some((scheme) => given.startsWith(`${scheme}:`)) ? given : fallback);
  return [
    {
      name: 'PostgreSQL',
      kind: 'postgres',
      type: 'postgres',
      url: of(['postgres', 'postgresql'], 'postgres://postgres@127.0.0.1:5432/postgres'),
    },
    {
      name: 'MariaDB',
      kind: 'mariadb',
      type: 'mariadb',
      url: of(['mysql', 'mariadb'], 'mysql://root@127.0.0.1:3306/'),
    },
  ];
}

function listens(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(url.port), url.hostname);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** SQLite, and the servers that answer; of the kinds that are named, or of all. */
export async function reachableDatabases(...kinds: Kind[]): Promise<TestDatabase[]> {
  const found: TestDatabase[] = [memory, file];
  for (const one of servers()) {
    if (await listens(one.url)) found.push(server(one));
    else if (kinds.length === 0 || kinds.includes(one.kind))
      console.log(`${one.name} does not answer on ${one.url.host}: its tests are skipped`);
  }
  return found.filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
}
