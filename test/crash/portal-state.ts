import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { Row } from '../support/databases.js';
import type { Bytes } from './bytes.js';

/** The fields of records that name files, by the table and the type of owner. */
const REFERENCES = [
  { table: 'package', type: 'package', fields: ['attachmentId'] },
  { table: 'resource', type: 'resource', fields: ['fileId'] },
  { table: 'draft', type: 'draft', fields: ['coverId', 'scanId'] },
] as const;

const TABLES = ['resource', 'package', 'draft', 'files_intent', 'files_upload', 'files_transfer', 'files_file'];

interface Reference {
  readonly from: string;
  readonly owner: string;
  readonly fileId: string;
}

/** What is in the database and in the directory of the storage. */
export interface PortalState {
  /** Files, records and history, without ids and locations: what two runs of an operation have in common. */
  readonly told: string[];
  /** Whatever should never be: empty unless something is wrong. */
  readonly wrong: string[];
}

/** Reads rows and bytes by itself, bypassing the library. */
export async function readState(dataSource: DataSource, bytes: StoredBytes): Promise<PortalState> {
  const rows = (table: string): Promise<Row[]> => dataSource.query(`SELECT * FROM ${table}`);
  const [files, history, intents] = [
    await rows('files_file'),
    await rows('files_transfer'),
    await rows('files_intent'),
  ];
  const references: Reference[] = [];
  const records: string[] = [];
  const owners = new Set<string>();
  for (const { table, type, fields } of REFERENCES) {
    for (const row of await rows(table)) {
      owners.add(ownerOf(type, row['id']));
      const named = fields.map((field) => row[field] as string | null);
      records.push(`${type} ${str(row['title'] ?? row['name'])}: ${named.map((id) => nameOf(files, id)).join(', ')}`);
      for (const [index, fileId] of named.entries()) {
        if (fileId) references.push({ from: `${type}.${fields[index]}`, owner: ownerOf(type, row['id']), fileId });
      }
    }
  }
  const lines = files.map((file) => tellFile(file, history));
  return {
    told: [...lines, ...records].toSorted(),
    wrong: [
      ...references.flatMap((reference) => wrongReference(reference, files)),
      ...files.flatMap((file) => wrongHistory(file, history)),
      ...files
        .filter((file) => isOrphan(file, owners))
        .map(({ name }) => `the owner of file ${str(name)} is not there`),
      ...(await wrongBytes(files, bytes)),
      ...intents.map(({ kind, location }) => `an intent remains: ${str(kind)} ${str(location)}`),
    ],
  };
}

/** Empties the tables; users and their sessions stay. */
export async function clearTables(dataSource: DataSource): Promise<void> {
  for (const table of TABLES) await dataSource.query(`DELETE FROM ${table}`);
}

function tellFile(file: Row, history: Row[]): string {
  const { id, name, size, hash, owner_type: type, owner_field: field, pinned } = file;
  const changes = history
    .filter((change) => change['file_id'] === id)
    .toSorted((a, b) => Number(a['at']) - Number(b['at']))
    .map((change) => `${str(change['action'])}>${str(change['to_type'])}`);
  const owner = `${str(type)}.${str(field)}${pinned ? ' pinned' : ''}`;
  return `file ${str(name)} ${str(size)} ${str(hash).slice(0, 8)} of ${owner}: ${changes.join(' ')}`;
}

function wrongReference({ from, owner, fileId }: Reference, files: Row[]): string[] {
  const file = files.find(({ id }) => id === fileId);
  if (!file) return [`${from} names file ${fileId}, which is not there`];
  const found = ownerOf(file['owner_type'], file['owner_id']);
  return found === owner ? [] : [`${from} of ${owner} names a file of ${found}`];
}

function isOrphan({ owner_type: type, owner_id: id }: Row, owners: ReadonlySet<string>): boolean {
  return REFERENCES.some((reference) => reference.type === type) && !owners.has(ownerOf(type, id));
}

function wrongHistory({ id, name, owner_type, owner_id }: Row, history: Row[]): string[] {
  const [last] = history.filter((row) => row['file_id'] === id).toSorted((a, b) => Number(b['at']) - Number(a['at']));
  const told = last && ownerOf(last['to_type'], last['to_id']);
  const owner = ownerOf(owner_type, owner_id);
  return told === owner ? [] : [`file ${str(name)} is of ${owner}, its history says ${told}`];
}

/** What is in a storage. */
type StoredBytes = Pick<Bytes, 'locations' | 'content'>;

/**
 * Every file has its bytes, and nothing else is there: no bytes without a file, nothing temporary, no part, no marker.
 */
export async function wrongBytes(files: Row[], stored: StoredBytes): Promise<string[]> {
  const wrong: string[] = [];
  const there = new Set(await stored.locations());
  for (const { name, location, size, hash } of files) {
    const bytes = there.delete(str(location)) ? await stored.content(str(location)) : undefined;
    if (!bytes) wrong.push(`the bytes of file ${str(name)} are not there`);
    else if (bytes.length !== Number(size) || createHash('sha256').update(bytes).digest('hex') !== hash)
      wrong.push(`the bytes of file ${str(name)} are others than its hash says`);
  }
  return [...wrong, ...[...there].map((path) => `bytes without a file: ${path}`)];
}

function nameOf(files: Row[], fileId: string | null): string {
  return fileId === null ? 'none' : str(files.find(({ id }) => id === fileId)?.['name']);
}

function ownerOf(type: unknown, id: unknown): string {
  return `${str(type)} ${str(id)}`;
}

function str(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
