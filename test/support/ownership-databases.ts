import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { uuidV7 } from '../../lib/files/uuid-v7.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../lib/ownership/file-transfer.entity.js';

export interface TestDatabase {
  readonly name: string;
  open(): Promise<OpenDatabase>;
}

export interface OpenDatabase {
  readonly dataSource: DataSource;
  close(): Promise<void>;
}

const entities = [ManagedFile, FileTransfer];

const sqlite: TestDatabase = {
  name: 'SQLite',
  open: async () => {
    const dataSource = await new DataSource({
      type: 'better-sqlite3',
      database: ':memory:',
      entities,
      synchronize: true,
    }).initialize();
    return { dataSource, close: () => dataSource.destroy() };
  },
};

function server(name: string, options: DataSourceOptions): TestDatabase {
  const open = async (): Promise<OpenDatabase> => {
    const database = `ownership_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
    const admin = await new DataSource(options).initialize();
    await admin.query(`CREATE DATABASE ${database}`);
    const dataSource = await new DataSource({
      ...options,
      database,
      entities,
      synchronize: true,
    } as DataSourceOptions).initialize();
    return {
      dataSource,
      close: async () => {
        await dataSource.destroy();
        await admin.query(`DROP DATABASE ${database}`);
        await admin.destroy();
      },
    };
  };
  return { name, open };
}

const servers = [
  {
    port: 5432,
    database: server('PostgreSQL', {
      type: 'postgres',
      host: '127.0.0.1',
      port: 5432,
      username: 'postgres',
      database: 'postgres',
      poolSize: 20,
    }),
  },
  {
    port: 3306,
    database: server('MariaDB', { type: 'mariadb', host: '127.0.0.1', port: 3306, username: 'root', poolSize: 20 }),
  },
];

/** SQLite, and the servers that listen on this machine. */
export async function reachableDatabases(): Promise<TestDatabase[]> {
  const found = [sqlite];
  for (const { port, database } of servers) {
    if (await listens(port)) found.push(database);
    else console.log(`${database.name} is not reachable on 127.0.0.1:${port}: its tests are skipped`);
  }
  return found;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.unref();
    socket.once('connect', () => socket.destroy());
  });
}

/** Inserts a file's row; no bytes are behind it. */
export async function insertFile(
  dataSource: DataSource,
  file: Partial<Omit<ManagedFile, 'storageData' | 'pluginData' | 'toJSON'>> = {},
): Promise<string> {
  const id = file.id ?? uuidV7();
  await dataSource.getRepository(ManagedFile).insert({
    id,
    name: 'a.pdf',
    storage: 'default',
    location: id,
    locationKey: id,
    contentType: 'application/pdf',
    size: 10,
    hash: 'none',
    hashAlgorithm: 'sha256',
    createdAt: new Date(),
    ownerType: null,
    ownerId: null,
    ownerField: null,
    pinned: false,
    storageData: null,
    pluginData: null,
    ...file,
  });
  return id;
}

export function fileById(dataSource: DataSource, id: string): Promise<ManagedFile | null> {
  return dataSource.getRepository(ManagedFile).findOneBy({ id });
}

export function historyOf(dataSource: DataSource, fileId: string): Promise<FileTransfer[]> {
  return dataSource.getRepository(FileTransfer).find({ where: { fileId }, order: { at: 'ASC', id: 'ASC' } });
}
