// PostgreSQL keeps neither of them in JSON.
const UNSTORABLE = /\0|\p{Surrogate}/u;

/** What is wrong with a part of a value, and what to do about it. */
export interface JsonFault {
  /** Where in the value: `payload.items[3].at`. */
  readonly place: string;
  readonly what: string;
  readonly remedy: string;
}

/**
 * The first reason why the value would not be the same any more when it has been JSON; `undefined` if there is none.
 */
export function findJsonFault(value: unknown, place: string): JsonFault | undefined {
  return faultIn(value, place, []);
}

function faultIn(value: unknown, place: string, around: readonly unknown[]): JsonFault | undefined {
  const fault = (what: string, remedy: string): JsonFault => ({ place, what, remedy });
  if (value === null || typeof value === 'boolean') return undefined;
  if (typeof value === 'string')
    return UNSTORABLE.test(value)
      ? fault('has a character that JSON columns do not keep', 'Encode it, as base64')
      : undefined;
  if (typeof value === 'number')
    return Number.isFinite(value)
      ? undefined
      : fault(`is ${value}, which JSON has not`, 'Give a finite number or null');
  if (typeof value !== 'object') {
    const remedy = 'Give a text, a number, a boolean, null, a list or a plain object';
    return fault(`is ${nameOf(value)}, which JSON has not`, remedy);
  }
  if (around.includes(value))
    return fault('is an object that it is part of', 'Give the ids of what refers to each other');
  if (!Array.isArray(value)) return faultInProperties(value, place, around);
  return firstOf(value.entries(), ([at, item]) => faultIn(item, `${place}[${at}]`, [...around, value]));
}

function faultInProperties(value: object, place: string, around: readonly unknown[]): JsonFault | undefined {
  if (!hasNoClass(value)) {
    const remedy =
      value instanceof Date ? 'Give date.toISOString() or date.getTime()' : 'Give a plain object, or an id';
    return { place, what: `is ${nameOf(value)}, which it would not be any more when it is read`, remedy };
  }
  return firstOf(Object.entries(value), ([key, item]) => {
    if (UNSTORABLE.test(key))
      return { place, what: 'has a property with a character that JSON columns do not keep', remedy: 'Rename it' };
    // JSON leaves out undefined, and the reader gets undefined again.
    return item === undefined ? undefined : faultIn(item, `${place}.${key}`, [...around, value]);
  });
}

function firstOf<T>(items: Iterable<T>, find: (item: T) => JsonFault | undefined): JsonFault | undefined {
  for (const item of items) {
    const found = find(item);
    if (found) return found;
  }
  return undefined;
}

/** Whether the object is of no class. */
export function hasNoClass(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'object' && value !== null) return `of the class ${value.constructor.name || 'without a name'}`;
  return `a ${typeof value}`;
}
