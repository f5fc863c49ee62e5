import parseRanges from 'range-parser';
import type { ByteRange } from '../../storage/storage-adapter.js';

// Real clients ask for fewer; combining them costs time.
const MAX_LENGTH = 1024;
const SPEC = /^(?:(?<first>\d+)-(?<last>\d*)|-\d+)$/;
const UNSATISFIABLE = -1;

/**
 * The one range that a `Range` header asks for, cut at the end of the content, `'unsatisfiable'`, or `undefined` for
 * all of it: also where the header is malformed, of another unit, or asks for several ranges that do not join.
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const specs = readSpecs(header);
  // An empty file has no last bytes, and a 206 cannot be empty.
  if (specs === undefined || (size === 0 && specs.some((spec) => /^-0*[1-9]/.test(spec)))) return undefined;
  const cut = specs.map((spec) => cutSuffix(spec, size)).join(',');
  const found = parseRanges(size, `bytes=${cut}`, { combine: true });
  if (found === UNSATISFIABLE) return 'unsatisfiable';
  return typeof found === 'number' || found.length > 1 ? undefined : found[0];
}

/** The parts of the header; `undefined` unless all of them are ranges. */
function readSpecs(header: string | undefined): string[] | undefined {
  if (header === undefined || header.length > MAX_LENGTH || !/^bytes=/i.test(header)) return undefined;
  const list = header.slice(header.indexOf('=') + 1).split(',');
  const specs = list.map((spec) => spec.trim()).filter((spec) => spec !== '');
  return specs.length > 0 && specs.every(isRange) ? specs : undefined;
}

function isRange(spec: string): boolean {
  const { groups } = SPEC.exec(spec) ?? {};
  if (groups?.['first'] === undefined) return spec.startsWith('-') && SPEC.test(spec);
  return !groups['last'] || BigInt(groups['first']) <= BigInt(groups['last']);
}

/** A suffix longer than the content is all of it; `range-parser` calls it unsatisfiable. */
function cutSuffix(spec: string, size: number): string {
  return spec.startsWith('-') && Number(spec.slice(1)) > size ? `-${size}` : spec;
}
