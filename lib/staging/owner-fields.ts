import type { DataSource } from 'typeorm';
import { ownerEntitiesOf } from '../ownership/owner-entities.js';
import type { OwnerColumn, OwnerClass } from '../ownership/owner-entities.js';

/** A column of an owner class, and the class's id column. */
export interface OwnerField extends OwnerClass {
  readonly idColumn: OwnerColumn;
  readonly column: OwnerColumn;
}

const LISTS = new Set<unknown>(['simple-array', 'simple-json', 'json', 'jsonb']);

/** The classes with `@OwnsFiles()` of the type that have the property; they need not be of one table. */
export function ownerFields(dataSource: DataSource, ownerType: string, property: string): OwnerField[] {
  return ownerEntitiesOf(dataSource).flatMap((entity): OwnerField[] => {
    const { metadata, idColumn } = entity;
    const column = metadata.columns.find(({ propertyPath }) => propertyPath === property);
    return entity.ownerType === ownerType && idColumn && column ? [{ ...entity, idColumn, column }] : [];
  });
}

/** Whether the column can hold several values. */
export function holdsList({ column }: OwnerField): boolean {
  return column.isArray || LISTS.has(column.type);
}
