import { JobPayloadInvalidError } from '../errors/jobs.errors.js';

/** Bytes of JSON that a payload may have. */
const MAX_BYTES = 65_536;
// PostgreSQL keeps neither of them in JSON.
const UNSTORABLE = /\0|\p{Surrogate}/u;

/** Throws `JobPayloadInvalidError` for a value that JSON would change, and for one that is too large. */
export function assertPayload(job: string, payload: unknown): void {
  check(job, payload, 'payload', []);
  const size = Buffer.byteLength(JSON.stringify(payload));
  if (size > MAX_BYTES) {
    const remedy = `Queue the id of a record that has it. At most ${MAX_BYTES} bytes are taken`;
    throw new JobPayloadInvalidError(job, 'payload', `has ${size} bytes of JSON`, remedy);
  }
}

function check(job: string, value: unknown, place: string, around: readonly unknown[]): void {
  const refuse = (what: string, remedy: string): never => {
    throw new JobPayloadInvalidError(job, place, what, remedy);
  };
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') {
    if (UNSTORABLE.test(value)) refuse('has a character that JSON columns do not keep', 'Encode it, as base64');
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(`is ${value}, which JSON has not`, 'Give a finite number or null');
  } else if (typeof value !== 'object') {
    refuse(
      `is ${nameOf(value)}, which JSON has not`,
      'Give a text, a number, a boolean, null, a list or a plain object',
    );
  } else if (around.includes(value)) {
    refuse('is an object that it is part of', 'Give the ids of what refers to each other');
  } else if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) check(job, item, `${place}[${at}]`, [...around, value]);
  } else {
    checkProperties(job, value, place, around, refuse);
  }
}

function checkProperties(
  job: string,
  value: object,
  place: string,
  around: readonly unknown[],
  refuse: (what: string, remedy: string) => never,
): void {
  if (!isPlain(value)) {
    const remedy =
      value instanceof Date ? 'Give date.toISOString() or date.getTime()' : 'Give a plain object, or an id';
    refuse(`is ${nameOf(value)}, which would not be one any more when the job runs`, remedy);
  }
  for (const [key, item] of Object.entries(value)) {
    if (UNSTORABLE.test(key)) refuse('has a property with a character that JSON columns do not keep', 'Rename it');
    // JSON leaves out undefined, and the reader gets undefined again.
    if (item !== undefined) check(job, item, `${place}.${key}`, [...around, value]);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'object' && value !== null) return `of the class ${value.constructor.name || 'without a name'}`;
  return `a ${typeof value}`;
}
