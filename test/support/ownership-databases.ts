import type { DataSource } from 'typeorm';
import { uuidV7 } from '../../lib/files/file-id.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../lib/ownership/file-transfer.entity.js';
import { reachableDatabases as anyDatabases } from './databases.js';
import type { OpenDatabase } from './databases.js';

/** SQLite, and the servers that answer, with the tables of ownership. */
export async function reachableDatabases(): Promise<{ name: string; kind: string; open(): Promise<OpenDatabase> }[]> {
  const databases = await anyDatabases('memory', 'postgres', 'mariadb');
  const options = { entities: [ManagedFile, FileTransfer], poolSize: 20 };
  return databases.map(({ name, kind, open }) => ({ name, kind, open: () => open(options) }));
}

/** Inserts a file's row; no bytes are behind it. */
export async function insertFile(
  dataSource: DataSource,
  file: Partial<Omit<ManagedFile, 'storageData' | 'metadata' | 'toJSON'>> = {},
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
    expiresAt: null,
    metadata: null,
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
