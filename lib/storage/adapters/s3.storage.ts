/** @module nestjs-files/storage/s3 */

import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { dispositionFor } from '../disposition.js';
import type { DirectUploadAdapter } from '../direct-upload-adapter.js';
import { assertLocation } from '../location.js';
import type { MarkPlace } from '../mark-place.js';
import type {
  ByteRange,
  Leftovers,
  LocatedObject,
  StorageAdapter,
  StorageContext,
  StoredObject,
  TemporaryUrlRequest,
} from '../storage-adapter.js';
import { Storage } from '../storage.js';
import { publicAddress } from './bucket-options.js';
import { S3Bucket, isPlaceholder, newTag, tagIn } from './s3-bucket.js';
import { S3_PROBE, assertUsable } from './s3-connect.js';
import { S3DirectUploads } from './s3-direct-uploads.js';
import { isAnswer, isMissingObject } from './s3-fault.js';
import { removeLeftovers } from './s3-leftovers.js';
import { objectsBelow } from './s3-list.js';
import { S3Mark, S3_MARK } from './s3-mark.js';
import { readOptions } from './s3-options.js';
import type { ReadOptions, S3StorageOptions } from './s3-options.js';
import { S3ResumableUploads, S3_TAILS } from './s3-resumable.js';
import { S3Removals } from './s3-removals.js';
import { lifetimeUntil } from './s3-signing.js';
import { inParts } from './in-parts.js';
import { copyInParts } from './s3-copy.js';
import { PLACEHOLDER, MAX_PARTS, S3Upload } from './s3-upload.js';

export type { S3StorageOptions };

/**
 * Keeps files in a bucket of S3 or of an S3-compatible server:
 * `s3Storage({ client: { region: 'eu-central-1' }, bucket: 'files' })`.
 */
export function s3Storage({
  client,
  bucket,
  prefix,
  partSize,
  conditionalWrites,
  publicBaseUrl,
  ...limits
}: S3StorageOptions): Storage {
  const options = { client, bucket, prefix, partSize, conditionalWrites, publicBaseUrl };
  return new Storage(new S3Adapter(readOptions(options)), limits);
}

const MAX_KEY_LENGTH = 1024;
const OWN = [S3_MARK, S3_PROBE];
// XML cannot contain these characters.
const NOT_IN_XML = /[\uFFFE\uFFFF]/;

function isOwn(location: string): boolean {
  return OWN.includes(location) || location.startsWith(`${S3_TAILS}/`);
}

class S3Adapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly directUploads: DirectUploadAdapter;
  readonly resumableUploads: S3ResumableUploads;
  readonly publicUrl?: (location: string) => Promise<string>;
  readonly #bucket: S3Bucket;
  readonly #partSize: number;
  readonly #removals: S3Removals;
  #name = '(unnamed)';

  constructor({ client, bucket, prefix, partSize, isConditional, publicBaseUrl }: ReadOptions) {
    this.#bucket = new S3Bucket(client, bucket, prefix, isConditional);
    this.#partSize = partSize;
    this.#removals = new S3Removals(this.#bucket);
    this.markPlace = new S3Mark(this.#bucket);
    const multipart = new S3DirectUploads(this.#bucket, partSize);
    this.directUploads = multipart;
    this.resumableUploads = new S3ResumableUploads(this.#bucket, partSize, multipart);
    if (publicBaseUrl === undefined) return;
    this.publicUrl = async (location) => publicAddress(publicBaseUrl, prefix + location);
  }

  async connect({ name, maxSize = 0 }: StorageContext): Promise<void> {
    this.#name = name;
    const least = Math.ceil(maxSize / MAX_PARTS);
    if (this.#partSize < least) {
      const what = `at least ${least}: a file has at most ${MAX_PARTS} parts, and the option "maxSize" is ${maxSize} bytes`;
      throw new StorageOptionInvalidError('partSize', this.#partSize, what);
    }
    await assertUsable(this.#bucket, name);
  }

  assertLocation(location: string): void {
    assertLocation(location);
    const refuse = (reason: string): Error => new LocationInvalidError(location, reason);
    if (isOwn(location)) throw refuse('the storage itself uses it');
    if (Buffer.byteLength(this.#bucket.at(location).Key) > MAX_KEY_LENGTH)
      throw refuse(`with the prefix it is longer than ${MAX_KEY_LENGTH} bytes`);
    if (NOT_IN_XML.test(location)) throw refuse('it has characters that S3 cannot list');
  }

  async write(location: string, content: Readable): Promise<void> {
    const bucket = this.#bucket;
    const parts = inParts(content, this.#partSize);
    let part = await parts.next();
    if (part.done) return;
    if (part.value.isLast) return bucket.create(location, newTag(), part.value.bytes);
    // An early check, before the rest is read. The placeholder makes the final one.
    await this.#assertFree(location);
    const fill = async (upload: S3Upload): Promise<void> => {
      for (let count = 1; !part.done; count++) {
        if (count > MAX_PARTS) throw new FileTooLargeError(this.#name, MAX_PARTS * this.#partSize);
        await upload.add(part.value.bytes);
        part = await parts.next();
      }
    };
    await S3Upload.run(bucket, location, fill, () => content.destroy());
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    try {
      const { Body, Metadata } = await this.#bucket.get(location, range && `bytes=${range.start}-${range.end}`);
      const content = Body as Readable;
      if (!isPlaceholder(tagIn(Metadata))) return content;
      content.destroy();
    } catch (error) {
      // The range begins after the end of the object.
      if (isAnswer(error, 416) && (await this.stat(location))) return Readable.from([]);
      if (!isMissingObject(error) && !isAnswer(error, 416)) throw error;
    }
    throw new LocationNotFoundError(location);
  }

  async remove(location: string): Promise<void> {
    await this.#bucket.remove(location);
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    await this.#removals.removeAll(locations);
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await this.#bucket.head(location);
    if (!found || isPlaceholder(found.tag)) return undefined;
    return { size: found.size, modifiedAt: found.modifiedAt };
  }

  async copy(from: string, to: string): Promise<void> {
    // Ceph decodes the source of a copied part twice: it would silently copy another object.
    if (this.#bucket.at(from).Key.includes('%')) return this.#copyThrough(from, to);
    const source = await this.stat(from);
    if (!source) throw new LocationNotFoundError(from);
    await this.#assertFree(to);
    await copyInParts(this.#bucket, { from, to, size: source.size, usualPart: this.#partSize });
  }

  async move(from: string, to: string): Promise<void> {
    await this.copy(from, to);
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    for await (const { location, size, modifiedAt } of objectsBelow(this.#bucket, directory)) {
      // The web consoles of S3 services create empty objects like `directory/`.
      if (isOwn(location) || location === '' || location.endsWith('/')) continue;
      if (size === PLACEHOLDER.length && !(await this.stat(location))) continue;
      yield { location, size, modifiedAt };
    }
  }

  async temporaryUrl(location: string, request: TemporaryUrlRequest): Promise<string> {
    const { expiresAt, disposition, name, contentType, cacheControl } = request;
    const get = new GetObjectCommand({
      ...this.#bucket.at(location),
      ResponseContentDisposition: dispositionFor(name, disposition),
      ResponseContentType: contentType,
      ResponseCacheControl: cacheControl,
    });
    return getSignedUrl(this.#bucket.client, get, lifetimeUntil(expiresAt));
  }

  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const [parts, tails] = [
      await removeLeftovers(this.#bucket, before, signal),
      await this.resumableUploads.removeLeftovers(before, signal),
    ];
    return { count: parts.count + tails.count, size: parts.size + tails.size };
  }

  async #copyThrough(from: string, to: string): Promise<void> {
    const content = await this.read(from);
    try {
      await this.write(to, content);
    } finally {
      content.destroy();
    }
  }

  async #assertFree(location: string): Promise<void> {
    if (await this.#bucket.head(location)) throw new LocationTakenError(location);
  }
}
