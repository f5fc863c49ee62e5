import { ChecksumInvalidError } from '../../errors/uploads.errors.js';

/** The hash that content is to have. */
export interface Checksum {
  /** An algorithm of `node:crypto`. */
  algorithm: string;
  /** Hex, in lower case. */
  hash: string;
}

// How many hexadecimal digits each has.
const DIGITS: Readonly<Record<string, number>> = { md5: 32, sha1: 40, sha256: 64, sha384: 96, sha512: 128 };

/** Reads `sha256:9f86d0…`; throws `ChecksumInvalidError`. */
export function parseChecksum(text: string): Checksum {
  const [algorithm = '', hash = '', ...others] = text.toLowerCase().split(':');
  const isHash = others.length === 0 && /^[0-9a-f]*$/.test(hash) && hash.length === DIGITS[algorithm];
  if (!isHash) throw new ChecksumInvalidError(text, Object.keys(DIGITS));
  return { algorithm, hash };
}
