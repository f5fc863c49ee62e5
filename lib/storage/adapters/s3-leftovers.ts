import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import type { MultipartUpload } from '@aws-sdk/client-s3';
import type { Leftovers } from '../storage-adapter.js';
import { claimOf } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo, isAnswer } from './s3-fault.js';

// Few enough for a test to make more.
const UPLOADS_PER_PAGE = 100;

/** Ends uploads below the prefix to which nothing was added since, and removes their claims. */
export async function removeLeftovers(bucket: S3Bucket, before: Date): Promise<Leftovers> {
  const removed = { count: 0, size: 0 };
  for await (const { key, uploadId } of uploadsBefore(bucket, before)) {
    const size = await endUpload(bucket, key, uploadId, before);
    if (size === undefined) continue;
    removed.count++;
    removed.size += size;
  }
  return removed;
}

/** The bytes of its parts; `undefined` where the upload has ended meanwhile, or goes on. */
async function endUpload(bucket: S3Bucket, key: string, uploadId: string, before: Date): Promise<number | undefined> {
  try {
    const size = await sizeOfParts(bucket, key, uploadId, before);
    if (size === undefined) return undefined;
    const location = key.slice(bucket.prefix.length);
    const there = await bucket.head(location);
    if (there?.tag === claimOf(uploadId)) {
      // It is being completed.
      if (there.modifiedAt >= before) return undefined;
      // Before the upload ends: the other way round a crash would leave a claim that nobody finds.
      await bucket.remove(location);
    }
    const upload = { Bucket: bucket.name, Key: key, UploadId: uploadId };
    await answerTo(bucket.client.send(new AbortMultipartUploadCommand(upload)));
    return size;
  } catch (error) {
    if (isAnswer(error, 404)) return undefined;
    throw error;
  }
}

async function sizeOfParts(bucket: S3Bucket, key: string, uploadId: string, before: Date): Promise<number | undefined> {
  let size = 0;
  for (let PartNumberMarker: string | undefined; ;) {
    const upload = { Bucket: bucket.name, Key: key, UploadId: uploadId, PartNumberMarker };
    const page = await answerTo(bucket.client.send(new ListPartsCommand(upload)));
    for (const { Size = 0, LastModified } of page.Parts ?? []) {
      if (LastModified && LastModified >= before) return undefined;
      size += Size;
    }
    if (!page.IsTruncated) return size;
    PartNumberMarker = page.NextPartNumberMarker;
  }
}

async function* uploadsBefore(bucket: S3Bucket, before: Date): AsyncGenerator<{ key: string; uploadId: string }, void> {
  for (let KeyMarker: string | undefined, UploadIdMarker: string | undefined; ;) {
    const asked = {
      Bucket: bucket.name,
      Prefix: bucket.prefix,
      KeyMarker,
      UploadIdMarker,
      MaxUploads: UPLOADS_PER_PAGE,
    };
    const page = await answerTo(bucket.client.send(new ListMultipartUploadsCommand(asked)));
    for (const upload of page.Uploads ?? [])
      if (isOld(upload, before)) yield { key: upload.Key, uploadId: upload.UploadId };
    if (!page.IsTruncated) return;
    [KeyMarker, UploadIdMarker] = [page.NextKeyMarker, page.NextUploadIdMarker];
  }
}

function isOld(upload: MultipartUpload, before: Date): upload is MultipartUpload & { Key: string; UploadId: string } {
  const { Key, UploadId, Initiated } = upload;
  return Key !== undefined && UploadId !== undefined && Initiated !== undefined && Initiated < before;
}
