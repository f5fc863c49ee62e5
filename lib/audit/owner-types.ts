import type { DataSource } from 'typeorm';
import { guardedEntity } from '../ownership/guard/guarded-entities.js';
import type { GuardedEntity } from '../ownership/guard/guarded-entities.js';
import { ownerEntitiesOf } from '../ownership/owner-entities.js';
import type { OwnerClass } from '../ownership/owner-entities.js';
import { sharesTable } from './audited-tables.js';

/** The classes whose rows are owners of one type. */
export interface OwnerType {
  readonly type: string;
  readonly guarded: readonly GuardedEntity[];
  /** The classes without `@FileField()`. The library does not know which files their rows name. */
  readonly others: readonly OwnerClass[];
  /** Whether a declared field keeps files that it no longer names. */
  readonly mayKeep: boolean;
}

/** The owner types of entity classes, by name. Where the ids of a class cannot be looked for, its type is left out. */
export function ownerTypes(dataSource: DataSource): Map<string, OwnerType> {
  const byType = new Map<string, OwnerClass[]>();
  for (const entity of ownerEntitiesOf(dataSource)) {
    byType.set(entity.ownerType, [...(byType.get(entity.ownerType) ?? []), entity]);
  }
  const types = new Map<string, OwnerType>();
  for (const [type, entities] of byType) {
    if (entities.every(({ idColumn }) => idColumn && !idColumn.transformer)) types.set(type, describe(type, entities));
  }
  return types;
}

function describe(type: string, entities: readonly OwnerClass[]): OwnerType {
  const all = entities.flatMap(({ metadata }) => guardedEntity(metadata) ?? []);
  const guarded = all.filter((entity) => !all.some((other) => isReadWith(other, entity)));
  return {
    type,
    guarded,
    others: entities.filter(({ metadata }) => !guardedEntity(metadata)),
    mayKeep: all.some(({ fields }) => fields.some(({ onReplace }) => onReplace === 'keep')),
  };
}

function isReadWith(root: GuardedEntity, entity: GuardedEntity): boolean {
  return sharesTable(root, entity) && root.idColumn.databaseName === entity.idColumn.databaseName;
}
