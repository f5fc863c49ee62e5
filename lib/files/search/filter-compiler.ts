import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { ColumnSubject, JsonSubject } from './comparison.js';
import type { Subject } from './comparison.js';
import type { Bind, SearchDialect } from './dialects/search-dialect.js';
import { findField, isDataField, fieldNamed } from './fields.js';
import type { Field } from './fields.js';
import { assertJsonPath } from './json-path.js';
import { LIMITS } from './limits.js';
import { Pattern } from './pattern.js';
import { show } from './show.js';
import { castText, isPlainObject } from './values.js';

const NOTHING = '1 = 0';
const EVERYTHING = '1 = 1';

type Compare = (subject: Subject, value: unknown, at: string) => string;

/** Turns filters into SQL. Its input may come from a client; its only error is `SearchQueryInvalidError`. */
export class FilterCompiler {
  #conditions = 0;
  #listed = 0;

  constructor(
    private readonly column: (field: Field) => string,
    private readonly dialect: SearchDialect,
    private readonly bind: Bind,
  ) {}

  compile(filter: unknown, at: string, depth = 0): string {
    if (!isPlainObject(filter)) throw new SearchQueryInvalidError(at, `${show(filter)} is not an object of conditions`);
    if (depth > LIMITS.depth) throw new SearchQueryInvalidError(at, `filters nest up to ${LIMITS.depth} deep`);
    const parts = Object.entries(filter).map(([key, value]) => this.#entry(key, value, `${at}.${clip(key)}`, depth));
    return all(parts);
  }

  #entry(key: string, value: unknown, at: string, depth: number): string {
    if (key === '$and') return all(this.#filters(value, at, depth));
    if (key === '$or') return any(this.#filters(value, at, depth));
    if (key.startsWith('$')) throw new SearchQueryInvalidError(at, 'here only $and and $or are operators');
    if (key === 'owner') return this.#owners(value, at);
    const field = findField(key);
    if (field && !isDataField(field)) return this.#condition(this.#columnSubject(field), value, at);
    const [name, ...keys] = key.split('.');
    const data = field ?? fieldNamed(keys.length > 0 ? name : key, at);
    if (!isDataField(data)) throw new SearchQueryInvalidError(at, `${data.name} has nothing inside`);
    return this.#data(data, keys, value, at);
  }

  #filters(value: unknown, at: string, depth: number): string[] {
    if (!Array.isArray(value)) throw new SearchQueryInvalidError(at, `${show(value)} is not a list of filters`);
    this.#take(value.length);
    return Array.from(value, (filter: unknown, index) => this.compile(filter, `${at}[${index}]`, depth + 1));
  }

  /** Owners of one type are one condition: databases plan and find them together. */
  #owners(value: unknown, at: string): string {
    if (!Array.isArray(value)) return this.#owner(value, at);
    this.#take(value.length);
    const ids = new Map<string, string[]>();
    const others: string[] = [];
    for (const [index, owner] of (value as unknown[]).entries()) {
      const place = `${at}[${index}]`;
      if (owner === null) others.push(this.#owner(owner, place));
      else {
        const [type, id] = ownerAt(owner, place);
        const ownerType = castText(type, place);
        ids.set(ownerType, [...(ids.get(ownerType) ?? []), castText(id, place)]);
      }
    }
    const owned = [...ids].map(([ownerType, ownerId]) => this.compile({ ownerType, ownerId }, at));
    return any([...owned, ...others]);
  }

  #owner(value: unknown, at: string): string {
    if (value === null) return this.compile({ ownerType: null, ownerId: null }, at);
    const [type, id] = ownerAt(value, at);
    return this.compile({ ownerType: { $eq: type }, ownerId: { $eq: id } }, at);
  }

  /** Conditions on JSON: nested objects are keys, until there is something to compare. */
  #data(field: Field, keys: readonly string[], value: unknown, at: string): string {
    assertJsonPath(keys, at);
    if (!isPlainObject(value) || isOperators(value)) return this.#condition(this.#jsonSubject(field, keys), value, at);
    const entries = Object.entries(value);
    if (entries.length === 0) throw new SearchQueryInvalidError(at, 'there is no condition');
    return all(entries.map(([key, inner]) => this.#data(field, [...keys, key], inner, `${at}.${clip(key)}`)));
  }

  #condition(subject: Subject, value: unknown, at: string): string {
    this.#take(1);
    if (Array.isArray(value)) return this.#in(subject, value, at);
    if (!isPlainObject(value)) return equals(subject, value, at);
    const entries = Object.entries(value);
    if (entries.length === 0) throw new SearchQueryInvalidError(at, 'there is no condition');
    this.#take(entries.length - 1);
    return all(
      entries.map(([operator, operand]) => this.#operator(operator, subject, operand, `${at}.${clip(operator)}`)),
    );
  }

  #operator(operator: string, subject: Subject, operand: unknown, at: string): string {
    if (operator === '$in') return this.#in(subject, operand, at);
    const compare = OPERATORS.get(operator);
    if (!compare)
      throw new SearchQueryInvalidError(
        at,
        `there is no such operator. Operators are ${[...OPERATORS.keys(), '$in'].join(', ')}`,
      );
    return compare(subject, operand, at);
  }

  #in(subject: Subject, values: unknown, at: string): string {
    if (!Array.isArray(values)) throw new SearchQueryInvalidError(at, `${show(values)} is not a list`);
    this.#listed += values.length;
    if (this.#listed > LIMITS.listed) throw new SearchQueryInvalidError(at, `lists have up to ${LIMITS.listed} values`);
    const some = Array.from(values as unknown[]).filter((value) => value !== null);
    const parts = some.length > 0 ? [subject.isIn(some, at)] : [];
    return any(some.length < values.length ? [...parts, subject.isNull()] : parts);
  }

  #columnSubject(field: Field): Subject {
    return new ColumnSubject(this.column(field), field.kind, this.dialect, this.bind);
  }

  #jsonSubject(field: Field, keys: readonly string[]): Subject {
    return new JsonSubject(this.dialect.jsonValue(this.column(field), keys, this.bind), this.dialect, this.bind);
  }

  #take(conditions: number): void {
    this.#conditions += conditions;
    if (this.#conditions > LIMITS.conditions)
      throw new SearchQueryInvalidError('filters', `there are more than ${LIMITS.conditions} conditions`);
  }
}

const equals: Compare = (subject, value, at) => (value === null ? subject.isNull() : subject.isIn([value], at));
const isNot: Compare = (subject, value, at) => `(${equals(subject, value, at)}) IS NOT TRUE`;

const OPERATORS = new Map<string, Compare>([
  ['$eq', equals],
  ['$is', equals],
  ['$isnot', isNot],
  ['$ne', (subject, value, at) => all([isNot(subject, value, at), `(${subject.isNull()}) IS NOT TRUE`])],
  ['$lt', (subject, value, at) => subject.order('<', value, at)],
  ['$lte', (subject, value, at) => subject.order('<=', value, at)],
  ['$gt', (subject, value, at) => subject.order('>', value, at)],
  ['$gte', (subject, value, at) => subject.order('>=', value, at)],
  ['$like', (subject, value, at) => subject.like(Pattern.parse(value, at), at)],
  ['$ilike', (subject, value, at) => subject.ilike(Pattern.parse(value, at), at)],
]);

function ownerAt(value: unknown, at: string): [type: unknown, id: unknown] {
  if (!isPlainObject(value) || Object.keys(value).toSorted().join() !== 'id,type')
    throw new SearchQueryInvalidError(at, `${show(value)} is not an owner. An owner is { type, id }, or null`);
  return [value['type'], value['id']];
}

function isOperators(value: Record<string, unknown>): boolean {
  const keys = Object.keys(value);
  return keys.some((key) => key.startsWith('$'));
}

function all(parts: readonly string[]): string {
  return parts.length === 0 ? EVERYTHING : `(${parts.join(' AND ')})`;
}

function any(parts: readonly string[]): string {
  return parts.length === 0 ? NOTHING : `(${parts.join(' OR ')})`;
}

function clip(key: string): string {
  return key.length > 60 ? `${key.slice(0, 60)}…` : key;
}
