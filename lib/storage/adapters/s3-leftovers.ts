import { AbortMultipartUploadCommand } from '@aws-sdk/client-s3';
import type { Leftovers } from '../storage-adapter.js';
import { placeholderOf } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo, isAnswer } from './s3-fault.js';
import { partsOf, uploadsBelow } from './s3-multipart.js';
import type { OpenUpload } from './s3-multipart.js';

/** Ends uploads below the prefix to which nothing was added since, and removes their placeholders. */
export async function removeLeftovers(bucket: S3Bucket, before: Date, signal?: AbortSignal): Promise<Leftovers> {
  const removed = { count: 0, size: 0 };
  for await (const upload of uploadsBelow(bucket)) {
    if (signal?.aborted) break;
    if (!upload.Initiated || upload.Initiated >= before) continue;
    const size = await endUpload(bucket, upload, before);
    if (size === undefined) continue;
    removed.count++;
    removed.size += size;
  }
  return removed;
}

/** The bytes of its parts; `undefined` where the upload has ended meanwhile, or goes on. */
async function endUpload(
  bucket: S3Bucket,
  { Bucket, Key, UploadId }: OpenUpload,
  before: Date,
): Promise<number | undefined> {
  const location = Key.slice(bucket.prefix.length);
  try {
    let size = 0;
    for await (const { Size = 0, LastModified } of partsOf(bucket, location, UploadId)) {
      if (LastModified && LastModified >= before) return undefined;
      size += Size;
    }
    const there = await bucket.head(location);
    if (there?.tag === placeholderOf(UploadId)) {
      // It is being completed.
      if (there.modifiedAt >= before) return undefined;
      // Removed before the upload ends: in the other order, a crash would leave a placeholder that is never found.
      await bucket.remove(location);
    }
    await answerTo(bucket.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })));
    return size;
  } catch (error) {
    if (isAnswer(error, 404)) return undefined;
    throw error;
  }
}
