import { HeadBucketCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { StorageFailedError } from '../../errors/storage.errors.js';
import { newTag } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo, isAnswer } from './s3-fault.js';

/** The object with which `If-None-Match` is tested at each boot. It is kept, so that one request is enough. */
export const S3_PROBE = '.nestjs-files/probe';

const REMEDIES: Readonly<Record<number, string>> = {
  301: 'set "region" of the client to that of the bucket',
  400: 'check "region" and "endpoint" of the client',
  403: 'check the credentials, and that they allow s3:ListBucket',
  404: 'create the bucket, or correct "endpoint" of the client',
};

/** Throws if the bucket cannot be used with the options. `storage` is the storage's name, for errors. */
export async function assertUsable(bucket: S3Bucket, storage: string): Promise<void> {
  const server = await serverOf(bucket.client);
  await assertThere(bucket, storage, server);
  if (bucket.isConditional) await assertHeeded(bucket, storage, server);
}

async function assertThere(bucket: S3Bucket, storage: string, server: string): Promise<void> {
  const { name, client } = bucket;
  try {
    await answerTo(client.send(new HeadBucketCommand({ Bucket: name })));
  } catch (error) {
    for (const [status, remedy] of Object.entries(REMEDIES))
      if (isAnswer(error, Number(status)))
        throw new StorageOptionInvalidError(
          'bucket',
          name,
          `a bucket that can be used; ${server} answered ${status}: ${remedy}`,
        );
    throw new StorageFailedError(storage, 'connect to bucket', `${name} of ${server}`, error);
  }
}

/** A server that ignores `If-None-Match` would overwrite objects unnoticed. */
async function assertHeeded(bucket: S3Bucket, storage: string, server: string): Promise<void> {
  const refuse = (what: string): Error =>
    new StorageOptionInvalidError('conditionalWrites', true, `false, because ${server} ${what} If-None-Match`);
  try {
    // The first request may create the object.
    for (let times = 0; times < 2; times++) await bucket.put(S3_PROBE, newTag(), Buffer.alloc(0), '*');
  } catch (error) {
    // 403: a client that may not write needs no condition.
    if (isAnswer(error, 412, 409, 403)) return;
    if (isAnswer(error, 400, 501)) throw refuse('refuses');
    throw new StorageFailedError(storage, 'write to bucket', `${bucket.name} of ${server}`, error);
  }
  throw refuse('ignores');
}

async function serverOf({ config }: S3Client): Promise<string> {
  const endpoint = await config.endpoint?.();
  if (!endpoint) return `AWS in region ${await config.region()}`;
  const { protocol, hostname, port } = endpoint;
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`;
}
