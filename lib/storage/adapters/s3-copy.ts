import { LocationNotFoundError } from '../../errors/storage.errors.js';
import { newTag } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { isMissingObject } from './s3-fault.js';
import { MAX_PARTS, S3Upload } from './s3-upload.js';

// The bytes of a copy do not pass through here, so its parts may be larger.
const COPIED_PART_FACTOR = 16;
/** Bytes. S3 copies no larger part. */
export const MAX_COPIED_PART = 5 * 1024 ** 3;

/** Copies an object of this size within the bucket, in parts. Fails if there is an object at `to` already. */
export async function copyInParts(
  bucket: S3Bucket,
  { from, to, size, usualPart }: { from: string; to: string; size: number; usualPart: number },
): Promise<void> {
  // A part has a byte at least.
  if (size === 0) return bucket.create(to, newTag(), Buffer.alloc(0));
  try {
    await S3Upload.run(bucket, to, async (upload) => {
      for (const range of copyRanges(size, usualPart)) await upload.addCopy(from, range);
    });
  } catch (error) {
    if (isMissingObject(error)) throw new LocationNotFoundError(from, undefined, { cause: error });
    throw error;
  }
}

/**
 * The ranges in which so many bytes are copied, where parts that pass through here have `usualPart` bytes. One for all
 * of them is `undefined`: S3 takes no range of small objects.
 */
export function copyRanges(size: number, usualPart: number): (string | undefined)[] {
  const partSize = Math.min(MAX_COPIED_PART, Math.max(usualPart * COPIED_PART_FACTOR, Math.ceil(size / MAX_PARTS)));
  if (size <= partSize) return [undefined];
  return Array.from({ length: Math.ceil(size / partSize) }, (_, part) => {
    return `bytes=${part * partSize}-${Math.min((part + 1) * partSize, size) - 1}`;
  });
}
