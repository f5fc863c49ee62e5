import { Readable } from 'node:stream';
import { UploadPartCommand } from '@aws-sdk/client-s3';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo } from './s3-fault.js';
import { partIn } from './s3-part.js';
import type { S3Part } from './s3-part.js';

/** Which part of which multipart upload. */
export interface PartPlace {
  location: string;
  uploadId: string;
  number: number;
  /** Bytes. */
  size: number;
}

/**
 * A part that is sent to the bucket while its bytes arrive: it is there soon after the last of them. The bytes are kept
 * until then, because what is sent as it comes cannot be sent again by the SDK.
 */
export class PartOnItsWay {
  readonly #chunks: Uint8Array[] = [];
  readonly #body = new Readable({ read: () => {} });
  readonly #aborted = new AbortController();
  readonly #sent: Promise<S3Part | undefined>;

  constructor(
    private readonly bucket: S3Bucket,
    private readonly place: PartPlace,
  ) {
    this.#body.on('error', () => {}); // told by the request
    // Not signed is what it holds, as of every stream: its hash would have to be known before it begins.
    this.#sent = this.#send(this.#body, this.#aborted.signal).catch(() => undefined);
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#body.push(chunk);
  }

  /** All bytes are there. Resolves once the bucket has them. */
  async finish(): Promise<S3Part> {
    this.#body.push(null);
    return (await this.#sent) ?? this.#send(Buffer.concat(this.#chunks));
  }

  /** There will be no more bytes: the part does not come to be. */
  async giveUp(): Promise<void> {
    this.#aborted.abort();
    this.#body.destroy();
    await this.#sent;
  }

  async #send(Body: Readable | Buffer, abortSignal?: AbortSignal): Promise<S3Part> {
    const { location, uploadId: UploadId, number, size } = this.place;
    const at = { ...this.bucket.at(location), UploadId, PartNumber: number };
    const part = new UploadPartCommand({ ...at, Body, ContentLength: size });
    const sending = this.bucket.client.send(part, { ...(abortSignal && { abortSignal }) });
    return partIn(await answerTo(sending), number, size);
  }
}
