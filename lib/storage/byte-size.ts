import { ByteSizeInvalidError } from '../errors/requests.errors.js';

const UNITS = ['', 'k', 'm', 'g', 't', 'p'];
const PATTERN = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i)?b?|b|bytes?)?$/i;

/**
 * Reads a size in bytes. Units mean what they say: `parseByteSize('10MiB')` → 10485760, `parseByteSize('10MB')` →
 * 10000000, `parseByteSize(512)` → 512. A part of a byte is cut off. Anything else throws `ByteSizeInvalidError`.
 */
export function parseByteSize(size: number | string): number {
  const bytes = typeof size === 'number' ? size : parse(size);
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new ByteSizeInvalidError(size);
  return bytes;
}

function parse(size: string): number {
  const match = PATTERN.exec(size.trim());
  if (!match) return Number.NaN;
  const [, amount, unit = '', binary] = match;
  const factor = (binary ? 1024 : 1000) ** UNITS.indexOf(unit.toLowerCase());
  return Math.floor(Number((Number(amount) * factor).toFixed(3)));
}
