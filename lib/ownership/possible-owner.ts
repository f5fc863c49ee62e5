import type { DataSource } from 'typeorm';
import type { OwnerReference } from '../files/owner-reference.js';
import { ownerEntitiesOf } from './owner-entities.js';
import { comparison } from './owner-existence.js';

/**
 * Whether an entity of the owner's type could have the id, by the type of its column: PostgreSQL answers a question about others, such as
 * `nope` for a UUID, with an error. Of types without an entity nothing is known.
 */
export function isPossibleOwner(dataSource: DataSource, { type, id }: OwnerReference): boolean {
  const entities = ownerEntitiesOf(dataSource).filter(({ ownerType }) => ownerType === type);
  if (entities.length === 0) return true;
  return entities.some(({ idColumn }) => {
    const isTrusted = idColumn === undefined || idColumn.transformer !== undefined;
    return isTrusted || comparison(dataSource, idColumn).comparable(id);
  });
}
