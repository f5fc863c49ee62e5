import type { DataSource, EntityManager } from 'typeorm';
import { OwnerNotFoundError } from '../errors/ownership.errors.js';
import { ownerIdOf } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../unit-of-work/typeorm/data-source.js';
import { lockShared } from '../unit-of-work/typeorm/row-locks.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import { ownerEntitiesOf } from './owner-entities.js';
import type { OwnerColumn, OwnerClass } from './owner-entities.js';

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const INTEGER = /^(0|-?[1-9]\d{0,18})$/;
const INTEGER_BITS: Readonly<Record<string, number>> = { smallint: 16, integer: 32, bigint: 64 };
const TEXTS = new Set(['character varying', 'character', 'text']);

const OWNERS_PER_STATEMENT = 10_000;

/**
 * Throws `OwnerNotFoundError` if the owner's type has an entity class and the owner's row is missing or soft-removed.
 * Otherwise the owners' rows are locked, so that no other transaction can remove them before this one ends. Owners
 * whose id column has a transformer are not checked.
 */
export async function assertOwnersExist(
  manager: EntityManager,
  owners: readonly OwnerReference[],
  entities: readonly OwnerClass[] = ownerEntitiesOf(dataSourceOf(manager)),
): Promise<void> {
  const idsByType = new Map<string, Set<string>>();
  for (const { type, id } of owners) idsByType.set(type, (idsByType.get(type) ?? new Set()).add(id));
  for (const [type, ids] of idsByType) {
    const missing = await missingId(
      manager,
      entities.filter(({ ownerType }) => ownerType === type),
      [...ids],
    );
    if (missing !== undefined) throw new OwnerNotFoundError(type, missing);
  }
}

/** The first of the ids that no entity has, if any. */
async function missingId(
  manager: EntityManager,
  entities: readonly OwnerClass[],
  ids: readonly string[],
): Promise<string | undefined> {
  if (entities.length === 0) return undefined;
  let missing = ids;
  for (const { metadata, idColumn } of entities) {
    if (!idColumn || idColumn.transformer) return undefined;
    const there = await thoseThere(manager, metadata.target, idColumn, missing);
    missing = missing.filter((id) => !there.has(id));
  }
  return missing[0];
}

async function thoseThere(
  manager: EntityManager,
  target: Parameters<EntityManager['getRepository']>[0],
  column: OwnerColumn,
  ids: readonly string[],
): Promise<Set<string | undefined>> {
  const there = new Set<string | undefined>();
  const value = comparedColumn(dataSourceOf(manager), column);
  const { comparable } = comparison(dataSourceOf(manager), column);
  const possible = ids.filter((id) => comparable(id)).toSorted();
  for (const chunk of inChunks(possible, OWNERS_PER_STATEMENT)) {
    const query = manager
      .createQueryBuilder(target, 'owner')
      .select(value, 'id')
      .where(`${value} IN (:...ids)`, { ids: chunk });
    const rows = await lockShared<{ id: unknown }>(manager, query, { forKeyShare: true });
    // MySQL matches the id 1 with `1abc`, and `a` with `A`. So the ids of the rows count, not the ids that were
    // searched for.
    for (const { id } of rows) there.add(ownerIdOf(id));
  }
  return there;
}

/**
 * `isCast`: whether the column must be cast to text before it is compared with ids. `comparable`: whether an id can be
 * in the column. On PostgreSQL, a comparison with any other id is an error, which would fail the whole transaction.
 */
export function comparison(
  dataSource: DataSource,
  column: OwnerColumn,
): { isCast: boolean; comparable: (id: string) => boolean } {
  const any = () => true;
  if (!dialectOf(dataSource).isStrict) return { isCast: false, comparable: any };
  const type = dataSource.driver.normalizeType(column);
  if (TEXTS.has(type)) return { isCast: false, comparable: any };
  if (type === 'uuid') return { isCast: false, comparable: (id) => UUID.test(id) };
  const bits = INTEGER_BITS[type];
  if (bits === undefined) return { isCast: true, comparable: any };
  return {
    isCast: false,
    comparable: (id) => INTEGER.test(id) && BigInt.asIntN(bits, BigInt(id)) === BigInt(id),
  };
}

/** The column of the alias `owner`, as it is compared with ids. */
export function comparedColumn(dataSource: DataSource, column: OwnerColumn): string {
  const value = `owner.${column.propertyPath}`;
  return comparison(dataSource, column).isCast ? `CAST(${value} AS text)` : value;
}

/**
 * Whether an entity of the owner's type could have this id, judged by the type of the id column. A query with another
 * id, such as `nope` for a UUID column, is an error on PostgreSQL. Owner types without an entity class are not checked.
 */
export function isPossibleOwner(dataSource: DataSource, { type, id }: OwnerReference): boolean {
  const entities = ownerEntitiesOf(dataSource).filter(({ ownerType }) => ownerType === type);
  if (entities.length === 0) return true;
  return entities.some(({ idColumn }) => {
    const isTrusted = idColumn === undefined || idColumn.transformer !== undefined;
    return isTrusted || comparison(dataSource, idColumn).comparable(id);
  });
}
