import { describe, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { StorageRegistry } from '../../../lib/storage/storage-registry.js';
import type { Storage } from '../../../lib/storage/storage.js';

describe('StorageRegistry', () => {
  it('knows its storages by name, and they know theirs', () => {
    const registry = new StorageRegistry({ default: memoryStorage(), images: memoryStorage() });
    expect(registry.names).toEqual(['default', 'images']);
    expect(registry.get('images').name).toBe('images');
    expect(registry.find('videos')).toBeUndefined();
    expect(registry.find('constructor')).toBeUndefined();
  });

  it('names the storages it has when asked for another', () => {
    const registry = new StorageRegistry({ default: memoryStorage(), images: memoryStorage() });
    expect(() => registry.get('videos')).toThrow(
      'Storage "videos" is not configured. Known storages: default, images.',
    );
  });

  it('refuses one storage under two names, what is no storage, and names without sense', () => {
    const storage = memoryStorage();
    expect(() => new StorageRegistry({ a: storage, b: storage })).toThrow('as "a" and as "b"');
    expect(() => new StorageRegistry({ a: {} as Storage })).toThrow('"storages.a"');
    expect(() => new StorageRegistry({ ' a': memoryStorage() })).toThrow('"storages"');
  });
});
