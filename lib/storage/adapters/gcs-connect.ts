import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { StorageFailedError } from '../../errors/storage.errors.js';
import type { GcsBucket } from './gcs-bucket.js';
import { isStatus, isWithoutBucket } from './gcs-errors.js';
import { GCS_MARK } from './gcs-mark.js';
import { signRead } from './gcs-signing.js';

const MINUTE = 60_000;

/** Throws where the bucket cannot be used. `storage` is the name, for messages. */
export async function assertUsable(bucket: GcsBucket, storage: string, isSigning: boolean): Promise<void> {
  const { client, place } = bucket;
  try {
    await bucket.below('').next();
  } catch (error) {
    if (isWithoutBucket(error)) throw refusal(bucket, `a bucket that is there: create "${client.name}"`);
    if (isStatus(error, 401, 403))
      throw refusal(
        bucket,
        `a client that may list, read, write and delete in "${client.name}", with the role "Storage Object User". ` +
          `Google answered: ${messageOf(error)}`,
      );
    throw new StorageFailedError(storage, 'connect to', place, error);
  }
  if (isSigning) await assertSigns(bucket);
}

/** Found at boot, and not with the first link. */
async function assertSigns(bucket: GcsBucket): Promise<void> {
  const expiresAt = new Date(Date.now() + MINUTE);
  const request = { expiresAt, disposition: 'attachment', name: 'mark', contentType: 'text/plain' } as const;
  try {
    await signRead(bucket.file(GCS_MARK), request);
  } catch (error) {
    throw refusal(
      bucket,
      `a client that can sign addresses, with the key of a service account or the role "Service Account Token Creator", ` +
        `or the option disable: ['temporaryUrl', 'directUploads']. The client says: ${messageOf(error)}`,
    );
  }
}

function refusal({ place }: GcsBucket, expected: string): Error {
  return new StorageOptionInvalidError('bucket', place, expected);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
