import type { Readable } from 'node:stream';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { isContentTypePattern } from '../../storage/content-type.js';
import type { FileContent } from '../content/open-content.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { LONGEST_TIMER } from '../../unit-of-work/ends-within.js';

/** Metadata key of a method that derives files. */
export const DERIVED_FILE = Symbol('DERIVED_FILE');

/** Which files something is derived from, and how. Times are in milliseconds. */
export interface DerivedFileOptions {
  /**
   * The content types of the originals, as `matchesContentType` reads them: `'image/*'`,
   * `['application/pdf', 'image']`.
   */
  from: string | readonly string[];
  /**
   * The storage of the derived files. @default that of the original, or the default storage if that cannot write and
   * remove
   */
  storage?: string;
  /** The name of the derived file. @default the kind, a hyphen, and the name of the original: `thumbnail-hare.png` */
  name?: (original: ManagedFile) => string;
  /** How often it is tried before it is given up, at least 2. @default 5 */
  attempts?: number;
  /** From the first failure to the next attempt; it doubles with each, up to an hour. @default 1000 */
  backoff?: number;
  /** After which one attempt is ended. @default 60_000 */
  timeout?: number;
  /** How many files of the kind this process derives at once. @default 2 */
  concurrency?: number;
}

/** What the method is told besides the content. */
export interface DerivationContext {
  /** A copy of the row of the original. */
  readonly original: ManagedFile;
  /** Is aborted when the attempt has to end: at its timeout, and when a shutdown waits no longer. */
  readonly signal: AbortSignal;
}

/** What `@DerivedFile()` leaves on the method. */
export interface DerivedDecoration {
  readonly kind: string;
  readonly options: DerivedFileOptions;
}

/** The method: it gives the derived content, or null if there is none for this original. */
export type DerivedMethod = (
  content: Readable,
  context: DerivationContext,
) => FileContent | null | Promise<FileContent | null>;

// The job's name begins with another 20 characters, and has at most 64.
const KIND = /^[a-z][a-z0-9-]{0,39}$/;
// What follows the id of a file in the addresses of the library.
const TAKEN = new Set(['content', 'history', 'pin', 'transfer']);
const NUMBERS = ['attempts', 'backoff', 'timeout', 'concurrency'] as const;
/**
 * Makes a provider's method derive a file from the content of others, such as a thumbnail. It runs in a job, and what
 * it gives is a file that is owned by its original: it is deleted and replaced with it, and has the address
 * `/files/:id/KIND`. Throws `DecorationInvalidError`.
 * @example
 * @DerivedFile('thumbnail', { from: 'image/*' })
 * async thumbnail(content: Readable) { return shrink(await buffer(content)); }
 */
export function DerivedFile(
  kind: string,
  options: DerivedFileOptions,
): <T extends DerivedMethod>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T>) => void {
  return (target, key, { value }) => {
    const place = `${target.constructor.name}.${String(key)}`;
    const fault = faultOf(kind, options);
    if (fault) throw new DecorationInvalidError(`@DerivedFile('${kind}')`, place, fault);
    Reflect.defineMetadata(DERIVED_FILE, { kind, options } satisfies DerivedDecoration, value as object);
  };
}

function faultOf(kind: string, options: DerivedFileOptions): string | undefined {
  if (!KIND.test(kind))
    return 'the kind must consist of 1 to 40 lower-case letters, digits and hyphens, and begin with a letter.';
  if (TAKEN.has(kind)) return 'the library has another route at this address. Choose another kind.';
  const from = [options?.from ?? []].flat();
  if (from.length === 0 || !from.every((pattern) => typeof pattern === 'string' && isContentTypePattern(pattern)))
    return `\`from\` must name content types, like 'image/*', and is ${JSON.stringify(options?.from)}.`;
  return NUMBERS.map((option) => faultOfNumber(option, options[option])).find((fault) => fault !== undefined);
}

function faultOfNumber(option: (typeof NUMBERS)[number], value: number | undefined): string | undefined {
  const least = option === 'attempts' ? 2 : 1;
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= LONGEST_TIMER))
    return undefined;
  return `\`${option}\` must be a whole number from ${least} on, and is ${String(value)}.`;
}
