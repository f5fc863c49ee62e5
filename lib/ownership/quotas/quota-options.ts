import { OptionInvalidError } from '../../errors/setup.errors.js';
import type { ByOwnerType } from '../../files/owner-type-name.js';
import { parseByteSize } from '../../storage/byte-size.js';

/** The limits of an owner. Omitted ones do not limit. */
export interface Quota {
  /** Bytes, or a text like `'1GiB'`. */
  readonly bytes?: number | string;
  /** How many files. */
  readonly count?: number;
}

/** One quota for every owner of a type, or a function that tells an owner's; `null` for none. */
export type QuotaOption = Quota | ((ownerId: string) => Quota | null | undefined | Promise<Quota | null | undefined>);

/** The quotas of the application, by owner type. */
export type QuotaOptions = Readonly<ByOwnerType<QuotaOption>>;

/** A quota in numbers. */
export interface Limits {
  readonly bytes: number;
  readonly count: number;
}

export const QUOTAS = Symbol('QUOTAS');

/** Checks what can be checked at boot; throws `OptionInvalidError`. */
export function readQuotas(options: QuotaOptions = {}): QuotaOptions {
  for (const [ownerType, option] of Object.entries(options)) {
    if (typeof option !== 'function') quotaLimits(ownerType, option);
  }
  return options;
}

export function quotaLimits(ownerType: string, quota: Quota): Limits {
  const refuse = (why: string) => new OptionInvalidError('quotas', `that of "${ownerType}" ${why}`);
  if (typeof quota !== 'object' || quota === null)
    throw refuse('must be like { bytes: "1GiB", count: 100 }, or a function');
  const { bytes = Infinity, count = Infinity, ...unknown } = quota;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw refuse(`has no limit "${name}": it limits bytes and count`);
  if (bytes === Infinity && count === Infinity) throw refuse('limits neither bytes nor count');
  if (count !== Infinity && (!Number.isSafeInteger(count) || count < 0))
    throw refuse(`has no number of files: ${count}`);
  try {
    return { bytes: bytes === Infinity ? Infinity : parseByteSize(bytes), count };
  } catch {
    throw refuse(`has no number of bytes: ${JSON.stringify(bytes)}. Give a number, or a text like "1GiB"`);
  }
}
