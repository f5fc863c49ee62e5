import { IsNull } from 'typeorm';
import type { DataSource, EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { FileUpload } from '../../files/uploads/file-upload.entity.js';
import type { Amount } from '../../files/ownership-port.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { seesEveryCommit } from '../../unit-of-work/scopes/sees-every-commit.js';
import { lockShared } from '../../unit-of-work/typeorm/row-locks.js';
import { tableNames } from '../../unit-of-work/typeorm/table-names.js';
import { FileUsage } from './file-usage.entity.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';

export type { Amount };

/** The usage in the owner's row; undefined before its first change. */
export function recordedUsage(manager: EntityManager, owner: OwnerReference): Promise<FileUsage | null> {
  return manager.findOneBy(FileUsage, keyOf(owner));
}

interface Count {
  /** A file that is not counted. */
  readonly without?: string | undefined;
  /** Whether commits count that a snapshot of the transaction hides. */
  readonly isLatest?: boolean;
}

/**
 * The usage as counted from the owner's files, without one of them, if given, and its open uploads. An upload that
 * becomes a file meanwhile is counted once.
 */
export async function countedUsage(
  manager: EntityManager,
  owner: OwnerReference,
  { without, isLatest = false }: Count = {},
): Promise<Amount> {
  const dataSource = dataSourceOf(manager);
  // On MySQL and MariaDB, the snapshot of a transaction hides later commits from all but a locking read. PostgreSQL,
  // which cannot lock what it sums up, has refused to change the row of an owner that got files since. Where nothing is
  // hidden, nothing is locked: others have locked files, and wait for the owner's row, which the caller may hold.
  if (isLatest && dialectOf(dataSource).locksLatest && !seesEveryCommit(dataSource))
    return lockedUsage(manager, owner, without);
  const parameters: unknown[] = [];
  const bind = (value: unknown): string => dataSource.driver.createParameter('', parameters.push(value) - 1);
  const [amount, bytes, count] = ['amount', 'bytes', 'count'].map((name) => dataSource.driver.escape(name));
  const [files, uploads] = [tableNames(dataSource, ManagedFile), tableNames(dataSource, FileUpload)];
  const own = ({ column }: typeof files | typeof uploads): string =>
    `${column('ownerType')} = ${bind(owner.type)} AND ${column('ownerId')} = ${bind(owner.id)}`;
  const but = (): string => (without === undefined ? '' : ` AND ${files.column('id')} <> ${bind(without)}`);
  // Two statements would see an upload in neither table, or in both.
  const [row] = await manager.query<Record<string, unknown>[]>(
    `SELECT SUM(${amount}) AS ${bytes}, COUNT(*) AS ${count} FROM (` +
      `SELECT ${files.column('size')} AS ${amount} FROM ${files.table} WHERE ${own(files)}${but()} UNION ALL ` +
      `SELECT ${uploads.column('size')} FROM ${uploads.table} WHERE ${own(uploads)} AND ${uploads.column('endedAt')} IS NULL` +
      `) counted`,
    parameters,
  );
  return amountOf(row);
}

/** As `countedUsage()`, under locks until the transaction ends: an upload that is counted does not become a file. */
async function lockedUsage(manager: EntityManager, owner: OwnerReference, without?: string): Promise<Amount> {
  const sum = async <T extends ObjectLiteral>(query: SelectQueryBuilder<T>): Promise<Amount> => {
    query.select(`SUM(${query.alias}.size)`, 'bytes').addSelect('COUNT(*)', 'count');
    const [row] = await lockShared<Record<string, unknown>>(manager, query);
    return amountOf(row);
  };
  const open = { ...keyOf(owner), endedAt: IsNull() };
  const uploads = await sum(manager.createQueryBuilder(FileUpload, 'upload').where(open));
  const query = manager.createQueryBuilder(ManagedFile, 'file').where(keyOf(owner));
  if (without !== undefined) query.andWhere('file.id <> :without', { without });
  const files = await sum(query);
  return { bytes: files.bytes + uploads.bytes, count: files.count + uploads.count };
}

function amountOf(row: Readonly<Record<string, unknown>> | undefined): Amount {
  return { bytes: Number(row?.['bytes'] ?? 0), count: Number(row?.['count'] ?? 0) };
}

/**
 * Adds to the usage of the owner, whose row is locked from now on. The files have changed already, except for the one
 * that is `going`. An owner without a row is counted: earlier changes of its files have left a row, and concurrent ones
 * wait for this one.
 */
export async function addUsage(
  manager: EntityManager,
  owner: OwnerReference,
  added: Amount,
  going?: string,
): Promise<void> {
  const { bytes, count } = namesOf(dataSourceOf(manager));
  const change = { bytes: () => `${bytes} + (${added.bytes})`, count: () => `${count} + (${added.count})` };
  const { affected } = await manager.update(FileUsage, keyOf(owner), change);
  if (affected === 0) await setUsage(manager, owner, await countedUsage(manager, owner, { without: going }), added);
}

/** Writes the owner's row; if another transaction has written it meanwhile, adds to it. */
async function setUsage(
  manager: EntityManager,
  { type, id }: OwnerReference,
  usage: Amount,
  added: Amount,
): Promise<void> {
  await manager.query(insertSql(dataSourceOf(manager)), [type, id, usage.bytes, usage.count, added.bytes, added.count]);
}

/** What the owner's row had recorded, and what was counted. */
export interface Recount {
  readonly recorded: Amount;
  readonly counted: Amount;
}

/** Sets the owner's row to the counted usage. */
export async function recountUsage(manager: EntityManager, owner: OwnerReference): Promise<Recount> {
  // Locks the row, which it makes if it is missing.
  await addUsage(manager, owner, { bytes: 0, count: 0 });
  const row = await recordedUsage(manager, owner);
  const counted = await countedUsage(manager, owner, { isLatest: true });
  await manager.update(FileUsage, keyOf(owner), { ...counted });
  return { recorded: row ? { bytes: row.bytes, count: row.count } : counted, counted };
}

function insertSql(dataSource: DataSource): string {
  const { table, ownerType, ownerId, bytes, count } = namesOf(dataSource);
  const parameter = (index: number) => dataSource.driver.createParameter('', index);
  const columns = [ownerType, ownerId, bytes, count];
  const values = columns.map((_, index) => parameter(index));
  const added = { [bytes]: parameter(4), [count]: parameter(5) };
  const insert = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')})`;
  return `${insert} ${dialectOf(dataSource).orAdd(table, [ownerType, ownerId], added)}`;
}

function namesOf(dataSource: DataSource) {
  const { table, column } = tableNames<FileUsage>(dataSource, FileUsage);
  return {
    table,
    ownerType: column('ownerType'),
    ownerId: column('ownerId'),
    bytes: column('bytes'),
    count: column('count'),
  };
}

function keyOf({ type, id }: OwnerReference): { ownerType: string; ownerId: string } {
  return { ownerType: type, ownerId: id };
}
