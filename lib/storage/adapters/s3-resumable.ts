import { CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { UploadBusyError } from '../../errors/uploads.errors.js';
import { locationKey } from '../location-key.js';
import type { JoinedObject, ResumableUploadAdapter } from '../resumable-upload-adapter.js';
import type { Leftovers } from '../storage-adapter.js';
import { tagIn } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import type { S3DirectUploads } from './s3-direct-uploads.js';
import { answerTo, isAnswer } from './s3-fault.js';
import { canJoin, copyToParts } from './s3-join.js';
import { objectsBelow } from './s3-list.js';
import { partsOf } from './s3-multipart.js';
import { partIn } from './s3-part.js';
import type { S3Part } from './s3-part.js';
import { PartBuffer } from './s3-part-buffer.js';
import { PartOnItsWay } from './s3-part-on-its-way.js';
import { MAX_PARTS } from './s3-upload.js';

// At most this many parts are sent while their bytes arrive, each on its own connection to the bucket. Other parts are
// sent once they are whole.
const MAX_ON_THEIR_WAY = 100;

/** The directory of the tails. No file has its location there. */
export const S3_TAILS = '.nestjs-files/tails';

/** How far an upload is: its whole parts, and so many bytes of the next one. */
interface Progress {
  parts: S3Part[];
  tail: number;
  /** Whether there is a tail, also one that does not count any more. */
  hasTail: boolean;
}

/**
 * Uploads of several requests: a multipart upload, all of whose parts but the last one have the same size. S3 takes no
 * small part before the last one, so that the bytes behind the last whole part are kept as a separate object, the tail.
 * Its tag tells how many parts are before it: a tail whose bytes have become a part since does not count. Each part is
 * always of the same bytes of the file, whoever sends it.
 */
export class S3ResumableUploads implements ResumableUploadAdapter {
  readonly #onTheirWay = new Set<PartOnItsWay>();

  constructor(
    private readonly bucket: S3Bucket,
    private readonly partSize: number,
    private readonly multipart: S3DirectUploads,
  ) {}

  async begin(location: string, length = 0): Promise<string> {
    const partSize = Math.max(this.partSize, Math.ceil(length / MAX_PARTS));
    const created = await answerTo(this.bucket.client.send(new CreateMultipartUploadCommand(this.bucket.at(location))));
    return `${partSize} ${created.UploadId ?? ''}`;
  }

  async offset(location: string, handle: string): Promise<number | undefined> {
    const { partSize } = read(handle);
    const progress = await this.#progress(location, handle);
    return progress && progress.parts.length * partSize + progress.tail;
  }

  async append(
    location: string,
    handle: string,
    offset: number,
    content: AsyncIterable<Uint8Array>,
    size = 0,
  ): Promise<number> {
    const { partSize } = read(handle);
    const parts = Math.floor(offset / partSize);
    const begun = new PartBuffer(partSize, parts);
    for (const piece of begun.piecesOf(await this.#tail(location, parts, offset % partSize))) begun.add(piece);
    const failure = await this.#fill(location, handle, begun, { content, size });
    if (failure?.error instanceof UploadBusyError) throw failure.error;
    const rest = begun.rest();
    if (rest.length > 0) await this.bucket.put(tailAt(location), tagOf(begun.parts), rest);
    if (failure) throw failure.error;
    return begun.parts * partSize + rest.length;
  }

  async head(location: string, handle: string, size: number): Promise<Buffer> {
    const progress = await this.#progress(location, handle);
    const tail = progress?.parts.length === 0 ? await this.#tail(location, 0, progress.tail) : Buffer.alloc(0);
    return tail.subarray(0, size);
  }

  async finish(location: string, handle: string): Promise<void> {
    const { uploadId } = read(handle);
    const progress = await this.#progress(location, handle);
    if (progress) {
      const { parts, tail } = progress;
      // A file of no bytes has one part, too.
      if (tail > 0 || parts.length === 0) {
        const rest = await this.#tail(location, parts.length, tail);
        parts.push(await this.#send(location, uploadId, parts.length + 1, rest));
      }
      await this.multipart.finish(location, { handle: uploadId, partSize: this.partSize }, parts);
    }
    if (progress?.hasTail !== false) await this.bucket.remove(tailAt(location));
  }

  async join(location: string, handle: string, objects: readonly JoinedObject[]): Promise<boolean> {
    if (!canJoin(this.bucket, objects)) return false;
    const { uploadId } = read(handle);
    const parts = await copyToParts(this.bucket, location, uploadId, objects);
    await this.multipart.finish(location, { handle: uploadId, partSize: this.partSize }, parts);
    return true;
  }

  async abort(location: string): Promise<void> {
    await this.multipart.abort(location);
    await this.bucket.remove(tailAt(location));
  }

  /** Removes tails written earlier than `before`. The caller chooses a time that spares the tails of open uploads. */
  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const removed = { count: 0, size: 0 };
    for await (const { location, size, modifiedAt } of objectsBelow(this.bucket, S3_TAILS)) {
      if (signal?.aborted) break;
      if (modifiedAt >= before) continue;
      await this.bucket.remove(location);
      removed.count++;
      removed.size += size;
    }
    return removed;
  }

  /**
   * Sends whole parts. A part is sent while it arrives if the announced size is enough to fill it. Returns an error of
   * the content instead of throwing it: the bytes before the error are kept.
   */
  async #fill(
    location: string,
    handle: string,
    begun: PartBuffer,
    { content, size }: { content: AsyncIterable<Uint8Array>; size: number },
  ): Promise<{ error: unknown } | undefined> {
    const chunks = content[Symbol.asyncIterator]();
    let promised = size;
    let sent: PartOnItsWay | undefined;
    const fill = async (piece: Uint8Array): Promise<void> => {
      begun.add(piece);
      promised -= piece.length;
      sent?.add(piece);
      const isPromised = begun.missing <= promised && this.#onTheirWay.size < MAX_ON_THEIR_WAY;
      if (isPromised || begun.missing === 0) sent ??= this.#begin(location, handle, begun);
      if (begun.missing > 0) return;
      await sent?.finish();
      if (sent) this.#onTheirWay.delete(sent);
      sent = undefined;
      begun.next();
    };
    try {
      for (;;) {
        const next = await chunks.next().catch((error: unknown) => ({ error }));
        if ('error' in next) return next;
        if (next.done === true) return undefined;
        for (const piece of begun.piecesOf(next.value)) await fill(piece);
      }
    } finally {
      await sent?.giveUp();
      if (sent) this.#onTheirWay.delete(sent);
      await chunks.return?.();
    }
  }

  #begin(location: string, handle: string, begun: PartBuffer): PartOnItsWay {
    const { partSize: size, uploadId } = read(handle);
    const number = begun.parts + 1;
    assertNumber(number);
    const part = new PartOnItsWay(this.bucket, { location, uploadId, number, size });
    for (const chunk of begun.chunks) part.add(chunk);
    this.#onTheirWay.add(part);
    return part;
  }

  async #send(location: string, UploadId: string, number: number, bytes: Buffer): Promise<S3Part> {
    assertNumber(number);
    const at = { ...this.bucket.at(location), UploadId, PartNumber: number };
    const part = new UploadPartCommand({ ...at, Body: bytes, ContentLength: bytes.length });
    return partIn(await answerTo(this.bucket.client.send(part)), number, bytes.length);
  }

  /** `undefined` where the multipart upload has ended. */
  async #progress(location: string, handle: string): Promise<Progress | undefined> {
    const [parts, tail] = await Promise.all([this.#wholeParts(location, handle), this.bucket.head(tailAt(location))]);
    if (!parts) return undefined;
    const counts = tail?.tag === tagOf(parts.length);
    return { parts, tail: counts ? tail.size : 0, hasTail: tail !== undefined };
  }

  async #wholeParts(location: string, handle: string): Promise<S3Part[] | undefined> {
    const { partSize, uploadId } = read(handle);
    const parts: S3Part[] = [];
    try {
      // A shorter one is the tail, of a `finish` that was cut off.
      for await (const part of partsOf(this.bucket, location, uploadId))
        if (part.PartNumber === parts.length + 1 && part.Size === partSize)
          parts.push(partIn(part, part.PartNumber, partSize));
      return parts;
    } catch (error) {
      if (isAnswer(error, 404)) return undefined;
      throw error;
    }
  }

  /** The tail behind so many parts. Throws where there is another one, or none: somebody else has gone on. */
  async #tail(location: string, parts: number, size: number): Promise<Buffer> {
    if (size === 0) return Buffer.alloc(0);
    const { Body, Metadata } = await this.bucket.get(tailAt(location));
    const tail = await buffer(Body as Readable);
    if (tagIn(Metadata) === tagOf(parts) && tail.length === size) return tail;
    throw new Error(`another request has appended behind part ${parts}`);
  }
}

function read(handle: string): { partSize: number; uploadId: string } {
  const end = handle.indexOf(' ');
  return { partSize: Number(handle.slice(0, end)), uploadId: handle.slice(end + 1) };
}

function tailAt(location: string): string {
  return `${S3_TAILS}/${locationKey(location)}`;
}

function tagOf(parts: number): string {
  return `tail:${parts}`;
}

function assertNumber(number: number): void {
  if (number > MAX_PARTS) throw new Error(`a file has at most ${MAX_PARTS} parts: raise the option "partSize"`);
}
