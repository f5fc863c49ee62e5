import type { DataSource, EntityManager } from 'typeorm';
import { OwnerNotFoundError } from '../errors/owner-not-found.error.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { ownerIdOf } from './id-field.js';
import { ownerEntitiesOf } from './owner-entities.js';
import type { OwnerColumn } from './owner-entities.js';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const INTEGER = /^(0|-?[1-9]\d{0,18})$/;
const INTEGER_BITS: Readonly<Record<string, number>> = { smallint: 16, integer: 32, bigint: 64 };
const TEXTS = new Set(['character varying', 'character', 'text']);

/**
 * Throws `OwnerNotFoundError` where the owner's type is that of an entity class and there is no such entity, or it is softly removed;
 * else it cannot be removed before this transaction ends. Ids that go through a transformer cannot be looked for, and are trusted.
 */
export async function assertOwnerExists(manager: EntityManager, { type, id }: OwnerReference): Promise<void> {
  const entities = ownerEntitiesOf(manager.dataSource).filter(({ ownerType }) => ownerType === type);
  if (entities.length === 0) return;
  for (const { metadata, idColumn } of entities) {
    if (!idColumn || idColumn.transformer || (await isThere(manager, metadata.target, idColumn, id))) return;
  }
  throw new OwnerNotFoundError(type, id);
}

async function isThere(
  manager: EntityManager,
  target: Parameters<EntityManager['getRepository']>[0],
  column: OwnerColumn,
  id: string,
): Promise<boolean> {
  const value = comparable(manager.dataSource, column, id);
  if (value === undefined) return false;
  const query = manager.createQueryBuilder(target, 'owner').select(value, 'id').where(`${value} = :id`, { id });
  const lock = lockFor(manager.dataSource);
  const rows = await (lock ? query.setLock(lock) : query).getRawMany<{ id: unknown }>();
  // MySQL finds 1 by `1abc`, and `a` by `A`, which are other owners.
  return rows.some((row) => ownerIdOf(row.id) === id);
}

/** What can be compared with the id; nothing if the column has no such value. An error of PostgreSQL would end the transaction. */
function comparable(dataSource: DataSource, column: OwnerColumn, id: string): string | undefined {
  const value = `owner.${column.propertyPath}`;
  if (dataSource.options.type !== 'postgres') return value;
  const type = dataSource.driver.normalizeType(column);
  if (TEXTS.has(type)) return value;
  if (type === 'uuid') return UUID.test(id) ? value : undefined;
  const bits = INTEGER_BITS[type];
  if (bits === undefined) return `CAST(${value} AS text)`;
  return INTEGER.test(id) && BigInt.asIntN(bits, BigInt(id)) === BigInt(id) ? value : undefined;
}

function lockFor({ options: { type } }: DataSource): 'for_key_share' | 'pessimistic_read' | undefined {
  if (type === 'postgres') return 'for_key_share';
  return type === 'mysql' || type === 'mariadb' ? 'pessimistic_read' : undefined;
}
