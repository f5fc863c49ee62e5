import { Readable } from 'node:stream';
import { UploadPartCommand } from '@aws-sdk/client-s3';
import type { UploadedPart } from '../direct-upload-adapter.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo } from './s3-fault.js';

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
  readonly #sent: Promise<string | undefined>;

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
  async finish(): Promise<UploadedPart> {
    const { number, size } = this.place;
    this.#body.push(null);
    const tag = (await this.#sent) ?? (await this.#send(Buffer.concat(this.#chunks)));
    return { number, size, tag };
  }

  /** There will be no more bytes: the part does not come to be. */
  async giveUp(): Promise<void> {
    this.#aborted.abort();
    this.#body.destroy();
    await this.#sent;
  }

  async #send(Body: Readable | Buffer, abortSignal?: AbortSignal): Promise<string> {
    const { location, uploadId: UploadId, number: PartNumber, size: ContentLength } = this.place;
    const part = new UploadPartCommand({ ...this.bucket.at(location), UploadId, PartNumber, Body, ContentLength });
    const sending = this.bucket.client.send(part, { ...(abortSignal && { abortSignal }) });
    const { ETag = '' } = await answerTo(sending);
    return ETag;
  }
}
