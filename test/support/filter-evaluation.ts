import type { FileFilter } from '../../lib/files/search/file-filter.js';
import type { ManagedFile } from '../../lib/files/managed-file.entity.js';

type Values = Record<string, unknown>;

const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Whether the file matches, by the description of the filter language alone. */
export function matches(file: ManagedFile, filter: FileFilter): boolean {
  return Object.entries(filter).every(([key, condition]) => {
    if (key === '$and') return (condition as FileFilter[]).every((one) => matches(file, one));
    if (key === '$or') return (condition as FileFilter[]).some((one) => matches(file, one));
    if (key === 'owner') return [condition].flat().some((owner) => owns(file, owner as Values | null));
    const [column = '', ...path] = key.split('.');
    if (column === 'storageData' || column === 'metadata') return holdsWithin(file[column], path, condition);
    return holds(file[key as keyof ManagedFile], condition);
  });
}

function owns({ ownerType, ownerId }: ManagedFile, owner: Values | null): boolean {
  return ownerType === (owner?.['type'] ?? null) && ownerId === (owner?.['id'] ?? null);
}

function holdsWithin(data: unknown, path: readonly string[], condition: unknown): boolean {
  const nested = isObject(condition) && !Object.keys(condition).some((key) => key.startsWith('$'));
  if (nested) return Object.entries(condition).every(([key, inner]) => holdsWithin(data, [...path, key], inner));
  let value = data;
  for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : null;
  return holds(value, condition);
}

function holds(value: unknown, condition: unknown): boolean {
  if (Array.isArray(condition)) return condition.some((one) => same(value, one));
  if (!isObject(condition)) return same(value, condition);
  return Object.entries(condition).every(([operator, operand]) => holdsFor(operator, value, operand));
}

function holdsFor(operator: string, value: unknown, operand: unknown): boolean {
  switch (operator) {
    case '$eq':
    case '$is':
      return same(value, operand);
    case '$isnot':
      return !same(value, operand);
    case '$ne':
      return value !== null && !same(value, operand);
    case '$in':
      return (operand as unknown[]).some((one) => same(value, one));
    case '$like':
    case '$ilike':
      return typeof value === 'string' && regular(operand as string, operator === '$ilike').test(value);
    case '$lt':
      return ordered(value, operand, (left, right) => left < right);
    case '$lte':
      return ordered(value, operand, (left, right) => left <= right);
    case '$gt':
      return ordered(value, operand, (left, right) => left > right);
    case '$gte':
      return ordered(value, operand, (left, right) => left >= right);
  }
  throw new Error(`The meaning of ${operator} is missing.`);
}

/** Values of different types have no order, nor has a missing one. */
function ordered(value: unknown, operand: unknown, compare: (left: Plain, right: Plain) => boolean): boolean {
  const [left, right] = [plain(value), plain(operand)];
  return left !== null && right !== null && typeof left === typeof right && compare(left, right);
}

function same(value: unknown, operand: unknown): boolean {
  return plain(value) === plain(operand);
}

type Plain = string | number | boolean | object;

function plain(value: unknown): Plain | null {
  if (value instanceof Date) return value.getTime();
  return (value ?? null) as Plain | null;
}

function regular(pattern: string, ignoresCase: boolean): RegExp {
  const source = pattern.replaceAll(/\\(.)|[\s\S]/gsu, (part, escaped?: string) => {
    if (escaped === undefined && part === '%') return '.*';
    if (escaped === undefined && part === '_') return '.';
    return (escaped ?? part).replaceAll(/[\\^$.*+?()[\]{}|/]/gu, String.raw`\$&`);
  });
  return new RegExp(`^${source}$`, ignoresCase ? 'isu' : 'su');
}
