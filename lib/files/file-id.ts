import { randomBytes } from 'node:crypto';
import { FileNotFoundError } from '../errors/files.errors.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether the value can be a file's id. PostgreSQL fails on anything that is not a UUID. */
export function isFileId(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** The id as it is stored, in lower case (SQLite compares case); `undefined` for any other value. */
export function normalizeFileId(value: unknown): string | undefined {
  return isFileId(value) ? value.toLowerCase() : undefined;
}

/**
 * As `normalizeFileId`; throws `FileNotFoundError` for a value that is no id: such a file and a missing one get the
 * same answer.
 */
export function fileIdOrFail(value: unknown): string {
  const id = normalizeFileId(value);
  if (id === undefined) throw new FileNotFoundError(value);
  return id;
}

const MAX_COUNTER = 0xfff;
const RANDOM_DIGITS = 16;
// Asking the system for random bytes for each id would cost more than the rest.
const POOLED_IDS = 512;
let pool = '';
let used = 0;
let lastTime = 0;
let counter = 0;
let prefix = '';

/** A time-ordered UUID (RFC 9562, version 7). Each one made by this process is greater than those before it. */
export function uuidV7(): string {
  const now = Date.now();
  if (now > lastTime) startAt(now);
  else if (++counter > MAX_COUNTER) startAt(lastTime + 1);
  const random = nextRandom();
  const version = (0x7000 | counter).toString(16);
  // The first two bits are the variant's.
  const variant = (8 | (Number.parseInt(random.charAt(0), 16) & 3)).toString(16);
  return `${prefix}${version}-${variant}${random.slice(1, 4)}-${random.slice(4)}`;
}

function startAt(time: number): void {
  lastTime = time;
  counter = 0;
  const digits = time.toString(16).padStart(12, '0');
  prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`;
}

/** Sixteen random hexadecimal digits. */
function nextRandom(): string {
  if (used === pool.length) {
    pool = randomBytes((POOLED_IDS * RANDOM_DIGITS) / 2).toString('hex');
    used = 0;
  }
  used += RANDOM_DIGITS;
  return pool.slice(used - RANDOM_DIGITS, used);
}
