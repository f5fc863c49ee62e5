import type { DataSource } from 'typeorm';
import { ownerIdOf } from '../id-field.js';
import type { OwnerColumn } from '../owner-entities.js';
import { familyOf } from '../../unit-of-work/typeorm/connected.js';

const INTEGERS = new Set(['smallint', 'integer', 'int', 'bigint', 'mediumint', 'tinyint', 'int2', 'int4', 'int8']);
// Not `char` and `character`: PostgreSQL fills these with spaces.
const TEXTS = new Set(['text', 'varchar', 'character varying']);
const DECIMAL = /^(?:0|-?[1-9]\d*)$/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * The owner id as the database would give it back, for a value that the application wrote or looked for. Undefined where the two may
 * differ: then the row has to be read.
 */
export function canonicalId(dataSource: DataSource, column: OwnerColumn, value: unknown): string | undefined {
  if (column.transformer) return undefined;
  const id = ownerIdOf(value);
  if (id === undefined) return undefined;
  const type = dataSource.driver.normalizeType(column);
  if (INTEGERS.has(type)) return DECIMAL.test(id) ? id : undefined;
  if (type === 'uuid') return UUID.test(id.toLowerCase()) ? id.toLowerCase() : undefined;
  // Texts that differ in case, or in spaces at the end, may be the same to a collation, as they are to most of MySQL's.
  const isExact = !column.collation && familyOf(dataSource) !== 'mysql';
  const isWhole = typeof value !== 'number' || Number.isSafeInteger(value);
  return isExact && isWhole && TEXTS.has(type) ? id : undefined;
}
