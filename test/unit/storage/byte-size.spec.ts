import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseByteSize } from '../../../lib/storage/byte-size.js';

describe('parseByteSize', () => {
  it.each([
    [0, 0],
    [512, 512],
    ['512', 512],
    ['512B', 512],
    ['1 byte', 1],
    ['10MiB', 10 * 1024 * 1024],
    ['10 mib', 10 * 1024 * 1024],
    ['10MB', 10_000_000],
    ['1k', 1000],
    ['1Ki', 1024],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['117.7MiB', 123_417_395],
    ['0.3kB', 300],
    ['1TiB', 1024 ** 4],
  ])('reads %j as %d bytes', (size, bytes) => {
    expect(parseByteSize(size)).toBe(bytes);
  });

  it.each(['', 'MiB', '-1', '1,5MB', '10 apples', '1e3', '0x10', '9999PiB', 'Infinity', Number.NaN, -1, 1.5, Infinity])(
    'refuses %j',
    (size) => {
      expect(() => parseByteSize(size)).toThrow(expect.objectContaining({ code: 'FILES_BYTE_SIZE_INVALID' }));
    },
  );

  it('reads every whole number of bytes back', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => parseByteSize(String(bytes)) === bytes && parseByteSize(bytes) === bytes),
    );
  });
});
