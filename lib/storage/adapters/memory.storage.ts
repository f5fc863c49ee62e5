/** @module nestjs-files/storage/memory */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import type { StorageAdapter } from '../storage-adapter.js';
import type { StorageLimits } from '../storage-limits.js';
import { Storage } from '../storage.js';
import { memoryResumable } from './memory-resumable.js';

/** The options of `memoryStorage()`. */
export type MemoryStorageOptions = StorageLimits;

/** Keeps files in this process's memory, for tests and trials: `memoryStorage({ maxSize: '1MiB' })`. */
export function memoryStorage(options: MemoryStorageOptions = {}): Storage {
  return new Storage(memoryAdapter(), options);
}

function memoryAdapter(): StorageAdapter {
  const objects = new Map<string, { bytes: Buffer; modifiedAt: Date }>();
  const bytesAt = (location: string): Buffer => {
    const object = objects.get(location);
    if (!object) throw new LocationNotFoundError(location);
    return object.bytes;
  };
  const add = (location: string, bytes: Buffer): void => {
    if (objects.has(location)) throw new LocationTakenError(location);
    objects.set(location, { bytes, modifiedAt: new Date() });
  };
  return {
    resumableUploads: memoryResumable((location) => objects.has(location), add),
    async write(location, content) {
      if (objects.has(location)) throw new LocationTakenError(location);
      add(location, await buffer(content));
    },
    async read(location, { start, end } = { start: 0, end: Infinity }) {
      return Readable.from(pieces(bytesAt(location).subarray(start, end + 1)), { objectMode: false });
    },
    remove: async (location) => void objects.delete(location),
    async stat(location) {
      const object = objects.get(location);
      return object && { size: object.bytes.length, modifiedAt: object.modifiedAt };
    },
    copy: async (from, to) => add(to, bytesAt(from)),
    async move(from, to) {
      add(to, bytesAt(from));
      objects.delete(from);
    },
    async *list(directory) {
      for (const [location, { bytes, modifiedAt }] of objects)
        if (location.startsWith(directory ? `${directory}/` : '')) yield { location, size: bytes.length, modifiedAt };
    },
  };
}

// Copies, so that a reader who changes a chunk does not change the stored bytes.
function* pieces(bytes: Buffer, size = 64 * 1024): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}
