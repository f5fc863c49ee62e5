import { Storage } from '../../lib/storage/storage.js';
import type { StorageAdapter } from '../../lib/storage/storage-adapter.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';

/** A storage in memory that can do this as well. */
export function storageWith(more: StorageAdapter): Storage {
  const memory = memoryStorage();
  return new Storage({
    write: (location, content) => memory.write(location, content),
    read: (location, range) => memory.read(location, range),
    remove: (location) => memory.remove(location),
    stat: (location) => memory.stat(location),
    list: (directory) => memory.list(directory),
    ...more,
  });
}
