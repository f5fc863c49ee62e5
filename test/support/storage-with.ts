import { Storage } from '../../lib/storage/storage.js';
import type { StorageAdapter } from '../../lib/storage/storage-adapter.js';
import type { StorageLimits } from '../../lib/storage/storage-limits.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';

/** A storage in memory that can do this as well, with other limits. */
export function storageWith(more: StorageAdapter, limits: StorageLimits = {}): Storage {
  const memory = memoryStorage();
  const adapter: StorageAdapter = {
    write: (location, content) => memory.write(location, content),
    read: (location, range) => memory.read(location, range),
    remove: (location) => memory.remove(location),
    stat: (location) => memory.stat(location),
    list: (directory) => memory.list(directory),
    ...more,
  };
  return new Storage(adapter, limits);
}
