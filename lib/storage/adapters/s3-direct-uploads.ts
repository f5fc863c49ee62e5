import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type {
  DirectUpload,
  DirectUploadAdapter,
  PartToSign,
  SignedRequest,
  UploadedPart,
} from '../direct-upload-adapter.js';
import { placeholderOf, isPlaceholder } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo, isAnswer } from './s3-fault.js';
import { partsOf, uploadsBelow } from './s3-multipart.js';
import { completedPart, partIn } from './s3-part.js';
import type { S3Part } from './s3-part.js';
import { lifetimeUntil } from './s3-signing.js';
import { PLACEHOLDER, MAX_PARTS } from './s3-upload.js';

/**
 * Uploads that clients send to the bucket: always a multipart upload, also of one part. The server that signs has begun
 * it, so that the client cannot choose the object's headers. It also completes it: after that, every server refuses
 * signed requests, whether it knows conditional writes or not. A signed PutObject would need the condition, and Ceph
 * accepts an unsigned ACL with it.
 */
export class S3DirectUploads implements DirectUploadAdapter {
  constructor(
    private readonly bucket: S3Bucket,
    private readonly partSize: number,
  ) {}

  async begin(location: string, size: number): Promise<DirectUpload> {
    const { client } = this.bucket;
    const { UploadId = '' } = await answerTo(client.send(new CreateMultipartUploadCommand(this.bucket.at(location))));
    return { handle: UploadId, partSize: Math.max(this.partSize, Math.ceil(size / MAX_PARTS)) };
  }

  async sign(
    location: string,
    { handle }: DirectUpload,
    { number, size, expiresAt }: PartToSign,
  ): Promise<SignedRequest> {
    const place = { ...this.bucket.at(location), UploadId: handle, PartNumber: number };
    const command = new UploadPartCommand({ ...place, ContentLength: size });
    command.middlewareStack.add(withoutChecksum, { step: 'build', priority: 'low' });
    const url = await getSignedUrl(this.bucket.client, command, {
      ...lifetimeUntil(expiresAt),
      signableHeaders: new Set(['host', 'content-length']),
    });
    return { method: 'PUT', url, headers: {} };
  }

  async parts(location: string, { handle }: DirectUpload): Promise<UploadedPart[]> {
    const parts: UploadedPart[] = [];
    try {
      for await (const part of partsOf(this.bucket, location, handle))
        parts.push(partIn(part, part.PartNumber ?? 0, part.Size ?? 0));
      return parts;
    } catch (error) {
      if (isAnswer(error, 404)) return [];
      throw error;
    }
  }

  async finish(location: string, { handle }: DirectUpload, parts: readonly S3Part[]): Promise<void> {
    const { bucket } = this;
    const Parts = parts.map(completedPart);
    const upload = { ...bucket.at(location), UploadId: handle, MultipartUpload: { Parts } };
    try {
      // As S3Upload does, and for the same reason. The placeholder of this upload may be there from an earlier attempt.
      if (bucket.isConditional) await bucket.create(location, placeholderOf(handle), PLACEHOLDER);
      await answerTo(bucket.client.send(new CompleteMultipartUploadCommand(upload)));
    } catch (error) {
      // Another call was faster, or the reply was lost: only this upload can be at the location.
      const there = await bucket.head(location);
      if (!there || isPlaceholder(there.tag)) throw error;
    }
  }

  async abort(location: string): Promise<void> {
    for await (const { Bucket, Key, UploadId } of uploadsBelow(this.bucket, location)) {
      // Other uploads may have a location that begins with this one.
      if (Key !== this.bucket.at(location).Key) continue;
      try {
        await answerTo(this.bucket.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })));
      } catch (error) {
        if (!isAnswer(error, 404)) throw error;
      }
    }
  }
}

/** By default the SDK signs the checksum of an empty body, so that servers that check it would refuse every upload. */
function withoutChecksum<T extends { request: unknown }, R>(next: (args: T) => Promise<R>): (args: T) => Promise<R> {
  return (args) => {
    const { headers } = args.request as { headers: Record<string, string> };
    for (const name of Object.keys(headers)) if (/^x-amz-(?:sdk-)?checksum-/i.test(name)) delete headers[name];
    return next(args);
  };
}
