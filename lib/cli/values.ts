import type { OwnerReference } from '../files/owner-reference.js';
import type { FileFilter } from '../files/search/file-filter.js';
import { escaped } from '../files/search/pattern.js';
import type { ScanState } from '../files/public-file.js';
import { parseByteSize } from '../storage/byte-size.js';
import { type CommandOption, type OptionValues, UsageError } from './command.js';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds of `90s`, `15m`, `12h`, `7d`, `2w`; undefined if the option was not given. */
export function ageIn(options: OptionValues, name: string): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const [, amount, unit = ''] = /^(\d+)([smhdw])$/.exec(String(text)) ?? [];
  const factor = UNITS[unit];
  // An age that leads to a date before 1970 is a mistake.
  if (amount === undefined || factor === undefined || Number(amount) * factor > Date.now())
    throw new UsageError(`--${name} is "${text}", and must be an age such as 90s, 15m, 12h, 7d or 2w.`);
  return Number(amount) * factor;
}

/** The moment of an ISO 8601 date, or of an age before now. */
export function momentIn(options: OptionValues, name: string): Date | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const date = /^\d{4}-\d{2}-\d{2}/.test(String(text)) ? new Date(String(text)) : undefined;
  if (date && Number.isFinite(date.getTime())) return date;
  try {
    return new Date(Date.now() - (ageIn(options, name) ?? 0));
  } catch {
    throw new UsageError(`--${name} is "${text}", and must be a date such as 2026-11-29, or an age such as 12h or 7d.`);
  }
}

/** An owner, or somebody who acts: `user:42`. */
export function ownerIn(options: OptionValues, name: string): OwnerReference | undefined {
  const text = options[name];
  return text === undefined ? undefined : readOwner(String(text), `--${name}`);
}

export function readOwner(text: string, place: string): OwnerReference {
  const [, type, id] = /^([^:]+):(.+)$/s.exec(text) ?? [];
  if (type === undefined || id === undefined)
    throw new UsageError(`${place} is "${text}", and must be a type and an id, such as user:42.`);
  return { type, id };
}

export function textIn(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The option's text; throws where it was not given. */
export function requiredIn(options: OptionValues, name: string): string {
  const value = textIn(options, name);
  if (value === undefined) throw new UsageError(`--${name} is missing.`);
  return value;
}

export function countIn(options: OptionValues, name: string): number | undefined {
  const value = options[name];
  return typeof value === 'number' ? value : undefined;
}

// An interrupted import ends after this many files.
const BATCH = 100;

/** How many files get one commit. */
export function batchIn(options: OptionValues): number {
  const batch = countIn(options, 'batch') ?? BATCH;
  if (batch > 1_000) throw new UsageError(`--batch is ${batch}, and must be at most 1000.`);
  return batch;
}

const SCAN_STATES = ['pending', 'clean', 'infected', 'failed', 'unscanned'] as const;

/** The state, as the column has it. */
function scanStateIn(text: string, place: string): ScanState | null {
  const state = SCAN_STATES.find((one) => one === text);
  if (state === undefined) throw new UsageError(`${place} is "${text}", and must be one of ${SCAN_STATES.join(', ')}.`);
  return state === 'unscanned' ? null : state;
}

/** The options that say which files are meant. */
export const WHICH_FILES: Readonly<Record<string, CommandOption>> = {
  storage: { kind: 'text', value: 'NAME', help: 'only files in this storage' },
  owner: { kind: 'text', value: 'TYPE:ID', help: 'only files of this owner' },
  unowned: { kind: 'flag', help: 'only files without an owner' },
  type: { kind: 'text', value: 'TYPE', help: 'only files of this content type, such as image or application/pdf' },
  name: { kind: 'text', value: 'TEXT', help: 'only files whose name contains the text' },
  scan: { kind: 'text', value: 'STATE', help: `only files that are ${SCAN_STATES.join(', ')}` },
  'older-than': { kind: 'text', value: 'AGE', help: 'only files stored before then, such as 7d or 2026-01-31' },
  'newer-than': { kind: 'text', value: 'AGE', help: 'only files stored since then' },
  'larger-than': { kind: 'text', value: 'SIZE', help: 'only files of more bytes, such as 10MiB' },
};

/** The filter that these options come to. */
export function filterOf(options: OptionValues): FileFilter {
  const owner = ownerIn(options, 'owner');
  if (owner && options['unowned']) throw new UsageError('--owner and --unowned cannot be combined. Use one of them.');
  const [storage, type, name] = ['storage', 'type', 'name'].map((option) => textIn(options, option));
  const [before, since] = [momentIn(options, 'older-than'), momentIn(options, 'newer-than')];
  const conditions: FileFilter[] = [];
  if (storage !== undefined) conditions.push({ storage });
  if (owner) conditions.push({ owner });
  if (options['unowned']) conditions.push({ owner: null });
  const scan = textIn(options, 'scan');
  if (scan !== undefined) conditions.push({ scan: scanStateIn(scan, '--scan') });
  if (type !== undefined) conditions.push({ contentType: type.includes('/') ? type : { $like: `${escaped(type)}/%` } });
  if (name !== undefined) conditions.push({ name: { $ilike: `%${escaped(name)}%` } });
  if (before) conditions.push({ createdAt: { $lt: before } });
  if (since) conditions.push({ createdAt: { $gte: since } });
  const size = bytesIn(options, 'larger-than');
  if (size !== undefined) conditions.push({ size: { $gt: size } });
  return { $and: conditions };
}

function bytesIn(options: OptionValues, name: string): number | undefined {
  const size = textIn(options, name);
  if (size === undefined) return undefined;
  try {
    return parseByteSize(size);
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}

/** The options of work between two storages, but for their names. */
export const BETWEEN_STORAGES: Readonly<Record<string, CommandOption>> = {
  concurrency: { kind: 'count', help: 'how many files are copied side by side (4)' },
  rate: { kind: 'text', value: 'SIZE', help: 'the most bytes in a second, such as 20MB' },
};

/** The two storages, and the limits that were given. */
export function betweenStorages(options: OptionValues): {
  from: string;
  to: string;
  concurrency?: number;
  rate?: number;
} {
  const [from, to] = [requiredIn(options, 'from'), requiredIn(options, 'to')];
  const [concurrency, rate] = [countIn(options, 'concurrency'), bytesIn(options, 'rate')];
  if (rate === 0) throw new UsageError('--rate is 0, and must be above it.');
  return { from, to, ...(concurrency !== undefined && { concurrency }), ...(rate !== undefined && { rate }) };
}
