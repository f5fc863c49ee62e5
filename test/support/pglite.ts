import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { PGliteDriver } from 'typeorm-pglite';
import type { EmptyDatabase, TestDatabase } from './databases.js';

// The function for UUIDs is the one that PostgreSQL has by itself.
const WITHOUT_EXTENSIONS = { type: 'postgres', installExtensions: false, uuidExtension: 'pgcrypto' } as const;

// To load an empty database takes a fifth of the time of making one.
const empty = await emptyDatabase();

async function emptyDatabase(): Promise<Blob> {
  const db = await PGlite.create();
  const data = await db.dumpDataDir('none');
  await db.close();
  return data;
}

/** PGlite in this process: in the directory, else in memory. There is one at a time. */
export function pgliteHere(dataDir?: string): DataSourceOptions {
  const { driver } = new PGliteDriver(dataDir === undefined ? { loadDataDir: empty } : { dataDir });
  return { ...WITHOUT_EXTENSIONS, driver };
}

/** PGlite that speaks PostgreSQL's protocol. */
export async function pgliteBehindSocket(): Promise<EmptyDatabase> {
  const db = await PGlite.create({ loadDataDir: empty });
  // It takes a moment to see that a connection has ended.
  const server = new PGLiteSocketServer({ db, port: 0, maxConnections: 2 });
  await server.start();
  const [host, port] = server.getServerConn().split(':') as [string, string];
  return {
    options: { ...WITHOUT_EXTENSIONS, host, port: Number(port), username: 'postgres', database: 'postgres' },
    drop: async () => {
      await server.stop();
      await db.close();
    },
  };
}

function single(name: string, create: TestDatabase['create']): TestDatabase {
  return {
    name,
    kind: 'memory',
    create,
    open: async (own) => {
      const { options, drop } = await create();
      const dataSource = await new DataSource({
        ...options,
        synchronize: true,
        ...own,
      } as DataSourceOptions).initialize();
      return {
        dataSource,
        connect: () => Promise.reject(new Error('PGlite has one connection')),
        read: (sql) => dataSource.query(sql),
        close: async () => {
          await dataSource.destroy();
          await drop();
        },
      };
    },
  };
}

/** Both ways to it. */
export const PGLITES: readonly TestDatabase[] = [
  single('PGlite in this process', () => Promise.resolve({ options: pgliteHere(), drop: () => Promise.resolve() })),
  single('PGlite behind a socket', pgliteBehindSocket),
];
