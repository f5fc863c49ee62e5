import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { faultyStorage, memoryStorage } from 'nestjs-files/testing';
import type { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { newDirectory } from '../../support/files-directory.js';

const content = () => Readable.from([Buffer.from('content')]);
const fault = { code: 'FILES_STORAGE_FAILED', cause: { message: 'a fault that was asked for' } };

describe('faultyStorage', () => {
  it('fails at the call that it is told, before or after doing the work', async () => {
    const inner = memoryStorage();
    const storage = faultyStorage(inner);
    storage.failAt(2, 'before');
    await storage.write('a', content());
    await expect(storage.write('b', content())).rejects.toMatchObject(fault);
    await storage.write('c', content());
    storage.failAt(1, 'after');
    await expect(storage.write('d', content())).rejects.toMatchObject(fault);
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((location) => inner.exists(location)))).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(storage.calls).toEqual(['write a', 'write b', 'write c', 'write d']);
  });

  it('keeps the scanner and the way of downloads of the storage', async () => {
    const root = newDirectory();
    const scanner = { name: 'test', scan: async () => ({ clean: true as const }) };
    const inner = fsStorage({ root, scan: scanner, downloads: 'x-sendfile', cacheControl: 'public, max-age=60' });
    const storage = faultyStorage(inner);
    expect([storage.scanner, storage.downloads]).toEqual([scanner, 'x-sendfile']);
    expect(storage.cacheControlOf({} as ManagedFile)).toBe('public, max-age=60');
    await storage.write('a', content());
    expect(await storage.pathOf('a')).toBe(await inner.pathOf('a'));
  });

  it('fails from a call on until it is healed', async () => {
    const storage = faultyStorage(memoryStorage());
    await storage.write('a', content());
    storage.failFrom(1, 'after');
    await expect(storage.remove('a')).rejects.toMatchObject(fault);
    await expect(storage.exists('a')).rejects.toMatchObject(fault);
    await expect(storage.write('a', content())).rejects.toMatchObject(fault);
    storage.heal();
    expect(await storage.exists('a')).toBe(false);
  });
});
