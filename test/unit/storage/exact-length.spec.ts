import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { exactLength } from '../../../lib/storage/exact-length.js';

const fault = new Error('too short');
const exactly = (source: Readable, size: number) => exactLength(source, size, () => fault);

describe('exactLength', () => {
  it.each([
    ['all of it', ['abc', 'def'], 6, 'abcdef'],
    ['what comes before a surplus in a chunk', ['abc', 'def'], 4, 'abcd'],
    ['what comes before a surplus of whole chunks', ['abc', 'def', 'ghi'], 3, 'abc'],
    ['nothing of what was to be empty', ['abc'], 0, ''],
    ['nothing of nothing', [], 0, ''],
  ])('gives %s', async (_, chunks, size, expected) => {
    const source = Readable.from(chunks);
    expect(await text(exactly(source, size))).toBe(expected);
    await expect.poll(() => source.destroyed).toBe(true);
  });

  it('stops a source that never ends', async () => {
    let given = 0;
    const source = new Readable({ read: () => void source.push(Buffer.alloc(1000, given++)) });
    expect((await text(exactly(source, 2500))).length).toBe(2500);
    expect(source.destroyed).toBe(true);
    expect(given).toBeLessThan(100);
  });

  it.each([
    ['ends too early', () => Readable.from(['abc']), fault.message],
    ['is cut off', () => cutOff(), fault.message],
    ['fails', () => cutOff(new Error('EIO')), 'EIO'],
  ])('fails when the source %s', async (_, source, message) => {
    await expect(text(exactly(source(), 4))).rejects.toThrow(message);
  });

  it('fails when the source fails after its last byte', async () => {
    async function* unsound() {
      yield Buffer.from('abcd');
      throw new Error('the checksum is wrong');
    }
    await expect(text(exactly(Readable.from(unsound()), 4))).rejects.toThrow('checksum');
  });

  it('reads nothing before it is asked, and no more than is taken', async () => {
    let given = 0;
    const source = new Readable({ read: () => void source.push(Buffer.alloc(16 * 1024, given++)) });
    const exact = exactly(source, 1024 ** 3);
    await new Promise(setImmediate);
    expect(given).toBeLessThan(2);
    exact.read(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(given).toBeLessThan(20);
    exact.destroy();
  });

  it.each([
    ['ends too early', () => Readable.from(['abc'])],
    ['fails', () => cutOff(new Error('EIO'))],
  ])('passes on the bytes before the failure first, when the source %s', async (_, source) => {
    const exact = exactly(source(), 4);
    await once(exact, 'readable');
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(exact.errored).toBeNull();
    expect(String(exact.read())).toBe('abc');
    await expect(once(exact, 'end')).rejects.toThrow();
  });

  it('lets go of a source that is stuck when the reader goes away', async () => {
    const source = new Readable({ read() {} });
    const exact = exactly(source, 10);
    exact.read();
    exact.destroy();
    await expect.poll(() => source.destroyed).toBe(true);
    expect(exact.errored).toBeNull();
  });
});

function cutOff(error?: Error): Readable {
  const source = new Readable({ read() {} });
  source.push('abc');
  setImmediate(() => source.destroy(error));
  return source;
}
