import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import type { FileColumn, FileDataColumn, FileSortField } from './file-filter.js';
import { show } from './show.js';

export type FieldKind = 'id' | 'text' | 'integer' | 'instant' | 'flag' | 'data';

/** A column as a search knows it. */
export interface Field {
  readonly name: FileColumn;
  readonly kind: FieldKind;
  readonly nullable: boolean;
}

const KINDS: Record<FileColumn, FieldKind | [FieldKind, 'nullable']> = {
  id: 'id',
  name: 'text',
  storage: 'text',
  location: 'text',
  locationKey: 'text',
  contentType: 'text',
  charset: ['text', 'nullable'],
  size: 'integer',
  hash: 'text',
  hashAlgorithm: 'text',
  createdAt: 'instant',
  replacedAt: ['instant', 'nullable'],
  ownerType: ['text', 'nullable'],
  ownerId: ['text', 'nullable'],
  ownerField: ['text', 'nullable'],
  pinned: 'flag',
  expiresAt: ['instant', 'nullable'],
  scan: ['text', 'nullable'],
  scanner: ['text', 'nullable'],
  finding: ['text', 'nullable'],
  storageData: ['data', 'nullable'],
  metadata: ['data', 'nullable'],
};

// A map, because an object has inherited members: `constructor` is not a field.
const FIELDS: ReadonlyMap<string, Field> = new Map(
  Object.entries(KINDS).map(([name, kind]) => {
    const [only, nullable] = [kind].flat();
    return [name, { name: name as FileColumn, kind: only as FieldKind, nullable: nullable !== undefined }];
  }),
);

export function findField(name: string): Field | undefined {
  return FIELDS.get(name);
}

export function fieldNamed(name: unknown, at: string): Field {
  const field = typeof name === 'string' ? FIELDS.get(name) : undefined;
  if (!field)
    throw new SearchQueryInvalidError(at, `${show(name)} is not a field. Fields are ${[...FIELDS.keys()].join(', ')}`);
  return field;
}

export function isDataField(field: Field): field is Field & { name: FileDataColumn } {
  return field.kind === 'data';
}

export function isSortField(field: Field): field is Field & { name: FileSortField } {
  return field.kind !== 'data';
}
