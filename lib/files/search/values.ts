import { types } from 'node:util';
import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { normalizeFileId } from '../file-id.js';
import type { FieldKind } from './fields.js';
import { LIMITS } from './limits.js';
import { show } from './show.js';

/** A value as it is bound. */
export type Bound = string | number | boolean;

// A date, or an instant with its offset: without one, it would depend on the server where the instant is.
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
// oxlint-disable-next-line no-control-regex -- NUL is what is looked for: PostgreSQL refuses it
const UNSTORABLE = /\u0000|\p{Surrogate}/u;

/** The value as the column holds it; throws `SearchQueryInvalidError` for one that the column cannot hold. */
export function castValue(kind: FieldKind, value: unknown, at: string): Bound {
  switch (kind) {
    case 'id':
      return castId(value, at);
    case 'text':
      return castText(value, at);
    case 'integer':
      if (Number.isSafeInteger(value)) return value as number;
      throw refused(value, at, 'a whole number');
    case 'instant':
      return castInstant(value, at);
    case 'flag':
      if (typeof value === 'boolean') return value;
      throw refused(value, at, 'true or false');
    case 'data':
      return castJson(value, at);
  }
}

export function castText(value: unknown, at: string): string {
  if (typeof value !== 'string') throw refused(value, at, 'a text');
  if (value.length > LIMITS.text) throw new SearchQueryInvalidError(at, `a text has up to ${LIMITS.text} characters`);
  if (UNSTORABLE.test(value)) throw refused(value, at, 'a text that a database can hold');
  return value;
}

function castId(value: unknown, at: string): string {
  const id = normalizeFileId(value);
  if (id === undefined) throw refused(value, at, 'the id of a file');
  return id;
}

function castInstant(value: unknown, at: string): number {
  const time = value instanceof Date ? value.getTime() : parseInstant(value);
  if (Number.isNaN(time)) throw refused(value, at, 'a Date or an ISO 8601 date like "2024-05-31T10:00:00Z"');
  return time;
}

function parseInstant(value: unknown): number {
  return typeof value === 'string' && ISO_DATE.test(value) ? Date.parse(value) : Number.NaN;
}

function castJson(value: unknown, at: string): Bound {
  if (typeof value === 'boolean') return value;
  // JSON knows no negative zero.
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (typeof value === 'string') return castText(value, at);
  throw refused(value, at, 'a text, a finite number, true, false, a Date or null');
}

function refused(value: unknown, at: string, wanted: string): SearchQueryInvalidError {
  return new SearchQueryInvalidError(at, `${show(value)} is not ${wanted}`);
}

/** Whether the value is an object as JSON or a literal makes it: neither a list, nor an instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
