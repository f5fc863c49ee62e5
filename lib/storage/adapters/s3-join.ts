import { UploadPartCopyCommand } from '@aws-sdk/client-s3';
import type { JoinedObject } from '../resumable-upload-adapter.js';
import type { S3Bucket } from './s3-bucket.js';
import { MAX_COPIED_PART } from './s3-copy.js';
import { answerTo } from './s3-fault.js';
import { partIn } from './s3-part.js';
import type { S3Part } from './s3-part.js';

const MIB = 1024 ** 2;
// S3 takes no smaller part before the last one.
const MIN_PART = 5 * MIB;

/** Whether the bucket can make parts of these objects itself. */
export function canJoin(bucket: S3Bucket, objects: readonly JoinedObject[]): boolean {
  return objects.every(({ location, size }, at) => {
    const isLast = at === objects.length - 1;
    // Ceph decodes the source of a copied part twice: it would copy another object, and say nothing.
    return size <= MAX_COPIED_PART && size >= (isLast ? 1 : MIN_PART) && !bucket.at(location).Key.includes('%');
  });
}

/** Makes each object a part of the multipart upload, in their order. */
export async function copyToParts(
  bucket: S3Bucket,
  location: string,
  UploadId: string,
  objects: readonly JoinedObject[],
): Promise<S3Part[]> {
  const parts: S3Part[] = [];
  for (const { location: from, size } of objects) {
    const { Bucket, Key } = bucket.at(from);
    const CopySource = [Bucket, ...Key.split('/')].map(encodeURIComponent).join('/');
    const number = parts.length + 1;
    const copy = new UploadPartCopyCommand({ ...bucket.at(location), UploadId, PartNumber: number, CopySource });
    const { CopyPartResult = {} } = await answerTo(bucket.client.send(copy));
    parts.push(partIn(CopyPartResult, number, size));
  }
  return parts;
}
