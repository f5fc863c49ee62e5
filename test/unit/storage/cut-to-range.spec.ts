import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToRange } from '../../../lib/storage/cut-to-range.js';

describe('cutToRange', () => {
  it('gives the range of the content, however that is cut into chunks', async () => {
    const chunks = fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 5 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.nat(20), fc.nat(20), async (parts, start, more) => {
        const range = { start, end: start + more };
        const content = Readable.from(parts.map((part) => Buffer.from(part)));
        expect(await text(cutToRange(content, range))).toBe(parts.join('').slice(start, range.end + 1));
      }),
    );
  });

  it('reads nothing beyond the range, and lets go of the content', async () => {
    let given = 0;
    const content = new Readable({
      highWaterMark: 1,
      read() {
        given++;
        this.push(Buffer.from('abc'));
      },
    });
    expect(await text(cutToRange(content, { start: 1, end: 4 }))).toBe('bcab');
    expect([content.destroyed, given <= 3]).toEqual([true, true]);
  });

  it('closes the content when the reader gives the range up, and fails with it', async () => {
    const endless = new Readable({ read() {} });
    const part = cutToRange(endless, { start: 0, end: 9 });
    part.read();
    part.destroy();
    await expect.poll(() => endless.destroyed).toBe(true);
    const fault = new Error('broken');
    const broken = new Readable({ read: () => void broken.destroy(fault) });
    await expect(text(cutToRange(broken, { start: 0, end: 9 }))).rejects.toBe(fault);
  });
});
