/** @module nestjs-files/storage/memory */

import { Readable } from 'node:stream';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { Capability } from '../capability.js';
import type { StorageLimits } from '../storage-limits.js';
import { Storage } from '../storage.js';
import type { ByteRange, LocatedObject, StoredObject } from '../storage.js';

/** What `memoryStorage()` takes. */
export type MemoryStorageOptions = StorageLimits;

/** Keeps files in this process's memory, for tests and trials: `memoryStorage({ maxSize: '1MiB' })`. */
export function memoryStorage(options: MemoryStorageOptions = {}): Storage {
  return new MemoryStorage(options);
}

const PROVIDED =
  Capability.CREATE |
  Capability.STREAM |
  Capability.RANGE |
  Capability.COPY |
  Capability.MOVE |
  Capability.REMOVE |
  Capability.EXISTS |
  Capability.SCAN |
  Capability.ANALYZE;
const READ_SIZE = 64 * 1024;

class MemoryStorage extends Storage {
  readonly #objects = new Map<string, { bytes: Buffer; modifiedAt: Date }>();

  constructor(options: MemoryStorageOptions) {
    super(PROVIDED, options);
  }

  protected async put(location: string, content: Readable): Promise<void> {
    if (this.#objects.has(location)) throw new LocationTakenError(this.name, location);
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(Buffer.from(chunk as Uint8Array | string));
    if (this.#objects.has(location)) throw new LocationTakenError(this.name, location);
    this.#objects.set(location, { bytes: Buffer.concat(chunks), modifiedAt: new Date() });
  }

  protected async open(location: string, range: ByteRange | undefined): Promise<Readable> {
    const object = this.#objects.get(location);
    if (!object) throw new LocationNotFoundError(this.name, location);
    const bytes = range ? object.bytes.subarray(range.start, range.end + 1) : object.bytes;
    return Readable.from(pieces(bytes), { objectMode: false });
  }

  protected async erase(location: string): Promise<void> {
    this.#objects.delete(location);
  }

  protected async inspect(location: string): Promise<StoredObject | undefined> {
    const object = this.#objects.get(location);
    return object && { size: object.bytes.length, modifiedAt: object.modifiedAt };
  }

  protected override async duplicate(from: string, to: string): Promise<void> {
    const object = this.#objects.get(from);
    if (!object) throw new LocationNotFoundError(this.name, from);
    if (this.#objects.has(to)) throw new LocationTakenError(this.name, to);
    this.#objects.set(to, { bytes: object.bytes, modifiedAt: new Date() });
  }

  protected override async relocate(from: string, to: string): Promise<void> {
    await this.duplicate(from, to);
    this.#objects.delete(from);
  }

  protected override async *list(directory: string | undefined): AsyncGenerator<LocatedObject, void> {
    for (const [location, { bytes, modifiedAt }] of this.#objects) {
      if (directory !== undefined && !location.startsWith(`${directory}/`)) continue;
      yield { location, size: bytes.length, modifiedAt };
    }
  }
}

// Copies, so that a reader who changes a chunk does not change the stored bytes.
function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += READ_SIZE) yield Buffer.from(bytes.subarray(at, at + READ_SIZE));
}
