/** @module nestjs-files/storage/gcs */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import type { DirectUploadAdapter } from '../direct-upload-adapter.js';
import { assertLocation } from '../location.js';
import type { MarkPlace } from '../mark-place.js';
import type { ResumableUploadAdapter } from '../resumable-upload-adapter.js';
import type {
  ByteRange,
  Leftovers,
  LocatedObject,
  StorageAdapter,
  StorageContext,
  StoredObject,
  TemporaryUrlRequest,
} from '../storage-adapter.js';
import type { StorageVerb } from '../storage-verbs.js';
import { Storage } from '../storage.js';
import { publicAddress } from './bucket-options.js';
import { GcsBucket } from './gcs-bucket.js';
import { assertUsable } from './gcs-connect.js';
import { GCS_ARRIVALS, GcsDirectUploads } from './gcs-direct-uploads.js';
import { isMissing, isStatus } from './gcs-errors.js';
import { GCS_MARK, GcsMark } from './gcs-mark.js';
import { readOptions } from './gcs-options.js';
import type { GcsStorageOptions, ReadOptions } from './gcs-options.js';
import { GCS_APPENDED, GcsResumableUploads } from './gcs-resumable.js';
import { signRead } from './gcs-signing.js';

export type { GcsStorageOptions };

/**
 * Keeps files in a bucket of Google Cloud Storage:
 * `gcsStorage({ bucket: new Storage().bucket('files'), prefix: 'app/' })`.
 */
export function gcsStorage({ bucket, prefix, publicBaseUrl, ...limits }: GcsStorageOptions): Storage {
  const isSigning = SIGNED.some((verb) => !limits.disable?.includes(verb));
  return new Storage(new GcsAdapter(readOptions({ bucket, prefix, publicBaseUrl }), isSigning), limits);
}

// Google's limit for the name of an object, in bytes.
const MAX_NAME = 1024;
// A multiple of 256 KiB, as Google wants it.
const CHUNK_SIZE = 8 * 1024 * 1024;
const SIGNED: readonly StorageVerb[] = ['temporaryUrl', 'directUploads'];
const OF_UPLOADS = [GCS_ARRIVALS, GCS_APPENDED];

type Chunks = AsyncIterator<Uint8Array | string, void>;

class GcsAdapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly directUploads: DirectUploadAdapter;
  readonly resumableUploads: ResumableUploadAdapter;
  readonly publicUrl?: StorageAdapter['publicUrl'];
  readonly #bucket: GcsBucket;

  constructor(
    { bucket, prefix, publicBaseUrl }: ReadOptions,
    private readonly isSigning: boolean,
  ) {
    this.#bucket = new GcsBucket(bucket, prefix);
    this.markPlace = new GcsMark(this.#bucket);
    this.directUploads = new GcsDirectUploads(this.#bucket);
    this.resumableUploads = new GcsResumableUploads(this.#bucket);
    if (publicBaseUrl !== undefined)
      this.publicUrl = async (location) => publicAddress(publicBaseUrl, prefix + location);
  }

  async connect({ name }: StorageContext): Promise<void> {
    await assertUsable(this.#bucket, name, this.isSigning);
  }

  assertLocation(location: string): void {
    assertLocation(location);
    if (location === GCS_MARK) throw new LocationInvalidError(location, 'the mark of the storage uses it');
    if (isOfUploads(location)) throw new LocationInvalidError(location, 'uploads are kept there');
    if (Buffer.byteLength(this.#bucket.prefix + location) > MAX_NAME)
      throw new LocationInvalidError(location, `with the prefix it is longer than ${MAX_NAME} bytes`);
  }

  async write(location: string, content: Readable): Promise<void> {
    const bucket = this.#bucket;
    const chunks = content[Symbol.asyncIterator]() as Chunks;
    const { beginning, isAll } = await beginningOf(chunks, CHUNK_SIZE);
    if (isAll) return bucket.create(location, (creation) => bucket.put(location, Buffer.concat(beginning), creation));
    // An early refusal, before the rest is read; Google decides.
    if (await bucket.stat(location)) throw new LocationTakenError(location);
    await bucket.create(location, async ({ conditions, resource }) => {
      const options = { preconditionOpts: conditions, metadata: resource, chunkSize: CHUNK_SIZE };
      const upload = bucket.file(location).createWriteStream({ ...options, resumable: true });
      await pipeline(async function* () {
        yield* beginning.splice(0);
        for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
      }, upload);
    });
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    try {
      return await this.#bucket.read(location, range && `bytes=${range.start}-${range.end}`);
    } catch (error) {
      // A range after the last byte has none.
      if (isStatus(error, 416) && (await this.stat(location))) return Readable.from([]);
      if (!isMissing(error)) throw error;
    }
    throw new LocationNotFoundError(location);
  }

  async remove(location: string): Promise<void> {
    await this.#bucket.remove(location);
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    await this.#bucket.removeAll(locations);
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await this.#bucket.stat(location);
    return found && { size: found.size, modifiedAt: found.modifiedAt };
  }

  async copy(from: string, to: string): Promise<void> {
    await this.#bucket.copy(from, to);
  }

  async move(from: string, to: string): Promise<void> {
    await this.copy(from, to);
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    for await (const { location, size, modifiedAt } of this.#bucket.below(
      directory === undefined ? '' : `${directory}/`,
    )) {
      // Consoles make empty objects like `directory/`.
      if (location === GCS_MARK || isOfUploads(location) || location === '' || location.endsWith('/')) continue;
      yield { location, size, modifiedAt };
    }
  }

  async temporaryUrl(location: string, request: TemporaryUrlRequest): Promise<string> {
    return signRead(this.#bucket.file(location), request);
  }

  /** Google itself removes unfinished sessions of writes, after a week. */
  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const removed = { count: 0, size: 0 };
    for (const directory of OF_UPLOADS) {
      const { count, size } = await this.#bucket.removeBelow(directory, before, signal);
      removed.count += count;
      removed.size += size;
    }
    return removed;
  }
}

/** What comes first: more than so many bytes, or all. */
async function beginningOf(chunks: Chunks, size: number): Promise<{ beginning: Uint8Array[]; isAll: boolean }> {
  const beginning: Uint8Array[] = [];
  for (let length = 0; length <= size;) {
    const next = await chunks.next();
    if (next.done) return { beginning, isAll: true };
    const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value;
    beginning.push(bytes);
    length += bytes.length;
  }
  return { beginning, isAll: false };
}

function isOfUploads(location: string): boolean {
  return OF_UPLOADS.some((directory) => location.startsWith(directory));
}
