import { OptionInvalidError } from '../errors/setup.errors.js';
import type { ByOwnerType } from '../files/owner-type-name.js';
import type { FileScanner } from '../storage/file-scanner.js';
import { assertScanner } from '../storage/storage-limits.js';
import { LONGEST_TIMER } from '../unit-of-work/ends-within.js';

/** The option `scanning`: what holds for all scanners. Times are in milliseconds. */
export interface ScanningOptions {
  /**
   * Scanners by the types of owners: they scan what such an owner has or gets, in storages without a scanner.
   * @default only storages have scanners
   */
  owners?: ByOwnerType<FileScanner>;
  /**
   * Whether fields of DTOs and forms take files that are not scanned yet. Nobody can open these before they are clean.
   * Infected files are never taken. @default true
   */
  attachPending?: boolean;
  /**
   * What becomes of infected bytes: they are kept for administrators, or removed. The row of the file stays.
   * @default 'keep'
   */
  infected?: 'keep' | 'remove';
  /** How often a scan is tried before its file is `failed`. @default 12 */
  attempts?: number;
  /** From the first failure to the next attempt; it doubles with each, up to an hour. @default 1000 */
  backoff?: number;
  /** After which one attempt is ended. @default 600_000 */
  timeout?: number;
  /** How many files are scanned at once in this process. @default 2 */
  concurrency?: number;
}

export type CheckedScanningOptions = Required<ScanningOptions>;

export const SCANNING_OPTIONS = Symbol('SCANNING_OPTIONS');

/** Fills in the defaults; throws `OptionInvalidError`. */
export function readScanningOptions(options: ScanningOptions = {}): CheckedScanningOptions {
  const { owners = {}, attachPending = true, infected = 'keep', attempts = 12, backoff = 1000 } = options;
  const { timeout = 600_000, concurrency = 2 } = options;
  const checked = { owners, attachPending, infected, attempts, backoff, timeout, concurrency };
  assertScanningOptions(checked);
  return checked;
}

function assertScanningOptions({ owners, attachPending, infected, ...counts }: CheckedScanningOptions): void {
  const refuse = (option: string, value: unknown, expected: string): never => {
    throw new OptionInvalidError(`scanning.${option}`, `it must be ${expected}, and is ${JSON.stringify(value)}`);
  };
  if (typeof attachPending !== 'boolean') refuse('attachPending', attachPending, 'true or false');
  if (infected !== 'keep' && infected !== 'remove') refuse('infected', infected, "'keep' or 'remove'");
  for (const [name, value] of Object.entries(counts))
    if (!isCount(value)) refuse(name, value, 'a whole number above zero');
  if (!attachPending && Object.keys(owners).length > 0)
    refuse(
      'attachPending',
      attachPending,
      'true with scanning.owners: an owner has to get a file before its scanner examines it',
    );
  for (const [type, scanner] of Object.entries<FileScanner>(owners)) assertScanner(scanner, `scanning.owners.${type}`);
}

/** Whether it is a whole number above zero, also if it is a time. */
function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= LONGEST_TIMER;
}
