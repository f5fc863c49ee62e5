import type { DataSource } from 'typeorm';
import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { bound } from '../ownership/guard/record-rows.js';
import { noteWrite } from '../ownership/guard/record-guard.js';
import { assertOwnersExist } from '../ownership/owner-existence.js';
import { tableNames } from '../unit-of-work/typeorm/table-names.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import type { FieldWrite } from './field-writes.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';

const OWNERS_PER_STATEMENT = 1000;

/**
 * Writes the owners' fields: one statement a field, for any number of owners. Not through TypeORM's update, which would
 * count the record's version up once more than the result says. Throws where an owner is not in its table:
 * `OwnerNotFoundError` where it may have been removed meanwhile, else `OwnerNotResolvedError`.
 */
export async function writeFields(unit: UnitOfWork, writes: readonly FieldWrite[]): Promise<void> {
  const byColumn = new Map<unknown, FieldWrite[]>();
  for (const write of writes) {
    const { column } = write.target;
    const some = byColumn.get(column);
    if (some) some.push(write);
    else byColumn.set(column, [write]);
  }
  for (const some of byColumn.values()) {
    for (const chunk of inChunks(some, OWNERS_PER_STATEMENT)) {
      await update(unit, chunk);
    }
  }
}

async function update({ manager, dataSource }: UnitOfWork, writes: readonly FieldWrite[]): Promise<void> {
  const [first] = writes;
  if (!first) return;
  const { sql, parameters } = updateSql(dataSource, first, writes);
  const ids = writes.map(({ ownerId }) => ownerId);
  const result = await noteWrite(TransferRuntime.of(dataSource), manager, first.target.metadata, ids, async () =>
    manager.queryRunner?.query(sql, parameters, true),
  );
  if (result?.affected === writes.length) return;
  const owners = writes.map(({ target, ownerId }) => ({ type: target.ownerType, id: ownerId }));
  await assertOwnersExist(manager, owners, TransferRuntime.of(dataSource).ownerEntities);
  const { metadata, ownerType, column } = first.target;
  const found =
    Number(result?.affected) > writes.length
      ? `table "${metadata.tablePath}" has several rows of ${ownerType} ${ids.join(', ')}, so the handler has to save "${column.propertyPath}" itself`
      : `of ${ownerType} ${ids.join(', ')} not all are in table "${metadata.tablePath}", so their field cannot be written`;
  throw new OwnerNotResolvedError(first.place, first.fileId, found);
}

function updateSql(dataSource: DataSource, { target }: FieldWrite, writes: readonly FieldWrite[]) {
  const { driver } = dataSource;
  const { metadata, column, idColumn } = target;
  const { table } = tableNames(dataSource, metadata.target);
  const [field, id] = [column, idColumn].map(({ databaseName }) => driver.escape(databaseName));
  const parameters: unknown[] = [];
  const parameter = (value: unknown): string => driver.createParameter('', parameters.push(value) - 1);
  const type = `${driver.normalizeType(column)}${column.isArray ? '[]' : ''}`;
  const dialect = dialectOf(dataSource);
  const stored = (ownerId: string): unknown => (idColumn.transformer ? bound(dataSource, idColumn, ownerId) : ownerId);
  const cases = writes.map(({ ownerId, value }) => {
    const owner = parameter(stored(ownerId));
    return `WHEN ${id} = ${owner} THEN ${dialect.typed(parameter(driver.preparePersistentValue(value, column)), type)}`;
  });
  const ids = writes.map(({ ownerId }) => parameter(stored(ownerId))).join(', ');
  const sql = `UPDATE ${table} SET ${field} = CASE ${cases.join(' ')} END WHERE ${id} IN (${ids})`;
  return { sql, parameters };
}
