import type { DataSource, EntityManager, ObjectLiteral } from 'typeorm';
import { ManagedFile } from '../files/managed-file.entity.js';
import { FileTransfer } from '../ownership/file-transfer.entity.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { query } from './sql.js';
import type { Bind } from '../unit-of-work/dialects/sql-dialect.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';

/** The fields of a file that an audit reads. */
export interface AuditedFile {
  readonly id: string;
  readonly ownerType: string | null;
  readonly ownerId: string | null;
  readonly pinned: boolean;
  readonly storage: string;
  readonly location: string;
  readonly size: number;
  readonly hash: string;
  readonly hashAlgorithm: string;
  readonly scan: string | null;
}

export const FILES_PER_PAGE = 1_000;

const PROPERTIES = [
  'id',
  'ownerType',
  'ownerId',
  'pinned',
  'storage',
  'location',
  'size',
  'hash',
  'hashAlgorithm',
  'scan',
] as const;

/**
 * The next files after an id, in the order of ids; with `since`, those that were stored, replaced or given away since
 * then.
 */
export function nextFiles(
  manager: EntityManager,
  after: string | undefined,
  since: Date | undefined,
): Promise<AuditedFile[]> {
  const { column } = tableNames<ManagedFile>(dataSourceOf(manager), ManagedFile);
  return select(manager, (bind) => {
    const conditions = [
      ...(after === undefined ? [] : [`${column('id')} > ${bind(after)}`]),
      ...(since === undefined ? [] : [changedSince(dataSourceOf(manager), since, bind)]),
    ];
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    return `${where} ORDER BY ${column('id')} LIMIT ${FILES_PER_PAGE}`;
  });
}

/** The files with these ids, without deleted ones. */
export function filesById(manager: EntityManager, ids: readonly string[]): Promise<AuditedFile[]> {
  const { column } = tableNames<ManagedFile>(dataSourceOf(manager), ManagedFile);
  return select(manager, (bind) => ` WHERE ${column('id')} IN (${ids.map(bind).join(', ')})`);
}

async function select(manager: EntityManager, tail: (bind: Bind) => string): Promise<AuditedFile[]> {
  const dataSource = dataSourceOf(manager);
  const { table, column } = tableNames<ManagedFile>(dataSource, ManagedFile);
  const columns = PROPERTIES.map((property) => `${column(property)} AS ${dataSource.driver.escape(property)}`);
  const rows = await query(manager, (bind) => `SELECT ${columns.join(', ')} FROM ${table}${tail(bind)}`);
  return rows.map(toFile);
}

function changedSince(dataSource: DataSource, since: Date, bind: Bind): string {
  const { table, column } = tableNames<ManagedFile>(dataSource, ManagedFile);
  const history = tableNames<FileTransfer>(dataSource, FileTransfer);
  const at = (name: string): string => `${name} >= ${bind(since.getTime())}`;
  const ways = [
    at(column('createdAt')),
    at(column('replacedAt')),
    `EXISTS (SELECT 1 FROM ${history.table} WHERE ${history.table}.${history.column('fileId')} = ${table}.${column('id')} AND ${at(history.column('at'))})`,
  ];
  return `(${ways.join(' OR ')})`;
}

function toFile(row: ObjectLiteral): AuditedFile {
  return { ...(row as AuditedFile), pinned: Boolean(row['pinned']), size: Number(row['size']) };
}
