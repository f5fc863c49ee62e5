import type { DataSource } from 'typeorm';
import { ownerIdOf } from '../id-field.js';
import type { OwnerColumn } from '../owner-entities.js';

const INTEGERS = new Set(['smallint', 'integer', 'int', 'bigint', 'mediumint', 'tinyint', 'int2', 'int4', 'int8']);

/**
 * The owner id as the database would give it back, for a value that the application wrote or looked for. Undefined where the two may
 * differ: then the row has to be read.
 */
export function canonicalId(dataSource: DataSource, column: OwnerColumn, value: unknown): string | undefined {
  if (column.transformer) return undefined;
  const id = ownerIdOf(value);
  if (id === undefined || typeof value === 'number') return id;
  const type = dataSource.driver.normalizeType(column);
  if (INTEGERS.has(type)) return /^-?\d+$/.test(id) ? String(BigInt(id)) : undefined;
  if (type === 'uuid') return id.toLowerCase();
  // Texts that differ only in case, or in spaces at the end, are the same to most of its collations.
  const isExact = !['mysql', 'mariadb'].includes(dataSource.options.type);
  return isExact && (type === 'text' || type.startsWith('char') || type.startsWith('varchar')) ? id : undefined;
}
