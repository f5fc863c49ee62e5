import { describe, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { StorageRegistry } from '../../../lib/storage/storage-registry.js';
import type { StorageAdapter } from '../../../lib/storage/storage-adapter.js';

describe('StorageRegistry', () => {
  it('knows its storages by name, and they know theirs', () => {
    const registry = new StorageRegistry({ default: memoryStorage(), images: memoryStorage() });
    expect(registry.names).toEqual(['default', 'images']);
    expect(registry.get('images').name).toBe('images');
    expect(registry.find('videos')).toBeUndefined();
    expect(registry.find('constructor')).toBeUndefined();
  });

  it('makes a storage of an adapter, with the limits that hold unless others are set', async () => {
    const context: unknown[] = [];
    const adapter: StorageAdapter = { stat: async () => undefined, connect: async (told) => void context.push(told) };
    const registry = new StorageRegistry({ archive: adapter });
    const archive = registry.get('archive');
    expect([archive.name, archive.maxSize, archive.can('stat'), archive.can('read')]).toEqual([
      'archive',
      100 * 1024 * 1024,
      true,
      false,
    ]);
    await registry.onModuleInit();
    expect(context).toEqual([{ name: 'archive', maxSize: 100 * 1024 * 1024, dataSource: undefined }]);
  });

  it('names the storages it has when asked for another', () => {
    const registry = new StorageRegistry({ default: memoryStorage(), images: memoryStorage() });
    expect(() => registry.get('videos')).toThrow(
      'Storage "videos" is not configured. Known storages: default, images.',
    );
  });

  it('refuses one storage under two names, objects that are no storages, and malformed names', () => {
    const storage = memoryStorage();
    expect(() => new StorageRegistry({ a: storage, b: storage })).toThrow('as "a" and as "b"');
    for (const wrong of [{}, null, 'var/files', { isTransactional: true }])
      expect(() => new StorageRegistry({ a: wrong as StorageAdapter })).toThrow('"storages.a"');
    expect(() => new StorageRegistry({ ' a': memoryStorage() })).toThrow('"storages"');
  });
});
