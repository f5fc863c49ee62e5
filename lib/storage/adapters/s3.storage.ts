/** @module nestjs-files/storage/s3 */

import { Readable } from 'node:stream';
import { DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { LocationInvalidError, LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { dispositionFor } from '../disposition.js';
import type { DirectUploadPlace } from '../direct-upload-place.js';
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
import { S3Bucket, isClaim, newTag, tagIn } from './s3-bucket.js';
import { S3_PROBE, assertUsable } from './s3-connect.js';
import { S3DirectUploads } from './s3-direct-uploads.js';
import { answerTo, isAnswer, isMissingObject } from './s3-fault.js';
import { removeLeftovers } from './s3-leftovers.js';
import { S3Mark, S3_MARK } from './s3-mark.js';
import { readOptions } from './s3-options.js';
import type { ReadOptions, S3StorageOptions } from './s3-options.js';
import { lifetimeUntil } from './s3-signing.js';
import { inParts } from './in-parts.js';
import { copyRanges } from './s3-copy-ranges.js';
import { CLAIM, MAX_PARTS, S3Upload } from './s3-upload.js';

export type { S3StorageOptions };

/** Keeps files in a bucket of S3, or of a server that speaks its protocol: `s3Storage({ client: { region: 'eu-central-1' }, bucket: 'files' })`. */
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
const KEYS_PER_REMOVAL = 1000;
const SINGLE_REMOVALS_AT_ONCE = 8;
// Nothing of a copy passes through here, so that its parts may be larger.
const COPIED_PART_FACTOR = 16;
// XML has no way to write them.
const NOT_IN_XML = /[\uFFFE\uFFFF]/;

class S3Adapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly directUploads: DirectUploadPlace;
  readonly publicUrl?: (location: string) => Promise<string>;
  readonly #bucket: S3Bucket;
  readonly #partSize: number;
  #name = '(unnamed)';
  #removesMany = true;

  constructor({ client, bucket, prefix, partSize, isConditional, publicBaseUrl }: ReadOptions) {
    this.#bucket = new S3Bucket(client, bucket, prefix, isConditional);
    this.#partSize = partSize;
    this.markPlace = new S3Mark(this.#bucket);
    this.directUploads = new S3DirectUploads(this.#bucket, partSize);
    if (publicBaseUrl === undefined) return;
    this.publicUrl = async (location) => publicAddress(publicBaseUrl, prefix + location);
  }

  async connect({ name, maxSize = 0 }: StorageContext): Promise<void> {
    this.#name = name;
    const least = Math.ceil(maxSize / MAX_PARTS);
    if (this.#partSize < least) {
      const what = `at least ${least}: a file has at most ${MAX_PARTS} parts, and the option "maxSize" lets it have ${maxSize} bytes`;
      throw new StorageOptionInvalidError('partSize', this.#partSize, what);
    }
    await assertUsable(this.#bucket, name);
  }

  assertLocation(location: string): void {
    assertLocation(location);
    const refuse = (reason: string): Error => new LocationInvalidError(location, reason);
    if (OWN.includes(location)) throw refuse('it is that of an object of the storage itself');
    if (Buffer.byteLength(this.#bucket.at(location).Key) > MAX_KEY_LENGTH)
      throw refuse(`with the prefix it is longer than ${MAX_KEY_LENGTH} bytes`);
    if (NOT_IN_XML.test(location)) throw refuse('it has characters that S3 cannot list');
  }

  async write(location: string, content: Readable): Promise<void> {
    const bucket = this.#bucket;
    // Told before the bytes are taken, where it can be; what decides is `create`.
    await this.#assertFree(location);
    const parts = inParts(content, this.#partSize);
    let part = await parts.next();
    if (part.done) return;
    if (part.value.isLast) return bucket.create(location, newTag(), part.value.bytes);
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
      if (!isClaim(tagIn(Metadata))) return content;
      content.destroy();
    } catch (error) {
      // The range begins behind the end.
      if (isAnswer(error, 416) && (await this.stat(location))) return Readable.from([]);
      if (!isMissingObject(error) && !isAnswer(error, 416)) throw error;
    }
    throw new LocationNotFoundError(location);
  }

  async remove(location: string): Promise<void> {
    await this.#bucket.remove(location);
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    for (let at = 0; at < locations.length; at += KEYS_PER_REMOVAL)
      await this.#removeSome(locations.slice(at, at + KEYS_PER_REMOVAL));
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await this.#bucket.head(location);
    if (!found || isClaim(found.tag)) return undefined;
    return { size: found.size, modifiedAt: found.modifiedAt };
  }

  async copy(from: string, to: string): Promise<void> {
    // Ceph decodes the source of a copied part twice: it would copy another object, and say nothing.
    if (this.#bucket.at(from).Key.includes('%')) return this.#copyThrough(from, to);
    const source = await this.stat(from);
    if (!source) throw new LocationNotFoundError(from);
    await this.#assertFree(to);
    // A part has a byte at least.
    if (source.size === 0) return this.#bucket.create(to, newTag(), Buffer.alloc(0));
    const partSize = Math.max(this.#partSize * COPIED_PART_FACTOR, Math.ceil(source.size / MAX_PARTS));
    try {
      await S3Upload.run(this.#bucket, to, async (upload) => {
        for (const range of copyRanges(source.size, partSize)) await upload.addCopy(from, range);
      });
    } catch (error) {
      if (isMissingObject(error)) throw new LocationNotFoundError(from, undefined, { cause: error });
      throw error;
    }
  }

  async move(from: string, to: string): Promise<void> {
    await this.copy(from, to);
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    const { client, name: Bucket, prefix } = this.#bucket;
    const Prefix = directory === undefined ? prefix : `${prefix}${directory}/`;
    for (let ContinuationToken: string | undefined; ;) {
      const asked = new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken, EncodingType: 'url' });
      const page = await answerTo(client.send(asked));
      for (const { Key = '', Size: size = 0, LastModified: modifiedAt = new Date(0) } of page.Contents ?? []) {
        const location = decodeURIComponent(Key.replaceAll('+', ' ')).slice(prefix.length);
        // Consoles make empty objects like `directory/`.
        if (OWN.includes(location) || location === '' || location.endsWith('/')) continue;
        if (size === CLAIM.length && !(await this.stat(location))) continue;
        yield { location, size, modifiedAt };
      }
      if (!page.IsTruncated) return;
      ContinuationToken = page.NextContinuationToken;
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

  async removeLeftovers(before: Date): Promise<Leftovers> {
    return removeLeftovers(this.#bucket, before);
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

  async #removeSome(locations: readonly string[]): Promise<void> {
    if (!this.#removesMany) return this.#removeSingly(locations);
    const { client, name: Bucket } = this.#bucket;
    const Objects = locations.map((location) => ({ Key: this.#bucket.at(location).Key }));
    try {
      const removal = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
      const { Errors: [first, ...others] = [] } = await answerTo(client.send(removal));
      if (first)
        throw new Error(
          `${others.length + 1} of ${locations.length} objects were not removed; of ${first.Key} the server says ${first.Code}: ${first.Message}`,
        );
    } catch (error) {
      // Not every server can, or takes the checksum that the SDK sends.
      if (!isAnswer(error, 400, 405, 411, 501)) throw error;
      this.#removesMany = false;
      await this.#removeSingly(locations);
    }
  }

  async #removeSingly(locations: readonly string[]): Promise<void> {
    for (let at = 0; at < locations.length; at += SINGLE_REMOVALS_AT_ONCE) {
      const some = locations.slice(at, at + SINGLE_REMOVALS_AT_ONCE);
      await Promise.all(some.map((location) => this.remove(location)));
    }
  }
}
