import { MoveOptionInvalidError } from '../errors/setup.errors.js';
import { Pace } from './content/pace.js';
import type { FileFilter } from './search/file-filter.js';

/** The options of a run over the files of a storage. */
export interface BulkOptions {
  /** The storage that the files are in. */
  from: string;
  /** The other storage. */
  to: string;
  /** Only the files that match. @default all of the storage */
  filters?: FileFilter;
  /** How many files are copied side by side. @default 4 */
  concurrency?: number;
  /** The most bytes in a second, of all files together. @default no limit */
  rate?: number;
  /** Ends the run: copies in progress are finished, then the loop over it throws the signal's reason. */
  signal?: AbortSignal;
}

/** The options, with their defaults; throws `MoveOptionInvalidError`. */
export function readBulkOptions<Options extends BulkOptions>(options: Options): Options & { concurrency: number } {
  const { from, to, concurrency = 4, rate = 1 } = options;
  if (from === to) throw new MoveOptionInvalidError('to', `the files are in storage "${to}" already`);
  assertWhole('concurrency', concurrency);
  if (!Number.isFinite(rate) || rate <= 0)
    throw new MoveOptionInvalidError('rate', `it is ${rate}, and must be a number of bytes above zero`);
  return { ...options, concurrency };
}

export function assertWhole(option: 'concurrency' | 'batch', value: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? 'above zero' : `from 1 to ${most}`;
  throw new MoveOptionInvalidError(option, `it is ${String(value)}, and must be a whole number ${range}`);
}

export function paceOf({ rate }: Pick<BulkOptions, 'rate'>): Pace | undefined {
  return rate === undefined ? undefined : new Pace(rate);
}
