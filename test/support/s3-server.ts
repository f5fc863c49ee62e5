import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { s3Storage } from 'nestjs-files/storage/s3';
import type { S3StorageOptions } from 'nestjs-files/storage/s3';
import type { Storage } from 'nestjs-files/storage';

/** How to reach the server that scripts/object-storage/with-s3.mjs has started, or that somebody else has. */
export function s3Config(): S3ClientConfig & { endpoint: string } {
  const {
    S3_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId = 'nestjs-files',
    AWS_SECRET_ACCESS_KEY: secretAccessKey = 'nestjs-files-secret',
    AWS_REGION: region = 'us-east-1',
  } = process.env;
  if (!endpoint) throw new Error('S3_ENDPOINT is not set. Run the tests with `npm run test:s3`.');
  return { endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } };
}

const bucketName = `nestjs-files-${randomUUID()}`;
let made: Promise<unknown> | undefined;

/** The bucket of the test file. */
export async function theBucket(): Promise<{ client: S3Client; bucket: string }> {
  const client = new S3Client({ ...s3Config(), requestChecksumCalculation: 'WHEN_REQUIRED' });
  made ??= client.send(new CreateBucketCommand({ Bucket: bucketName }));
  await made;
  return { client, bucket: bucketName };
}

/** What is in the bucket below the prefix, seen past the storage. */
export interface S3Inside {
  prefix: string;
  /** All objects, without the storage's own probe. */
  keys(): Promise<string[]>;
  /** The keys of multipart uploads that have not ended. */
  uploads(): Promise<string[]>;
  content(key: string): Promise<string | undefined>;
  bytes(key: string): Promise<Uint8Array | undefined>;
}

/** An empty storage on the server: below a prefix of its own. */
export async function newS3Storage(
  options: Partial<S3StorageOptions> = {},
): Promise<{ storage: Storage; client: S3Client; bucket: string; inside: S3Inside }> {
  const { client, bucket } = await theBucket();
  const prefix = options.prefix ?? `${randomUUID()}/`;
  const storage = s3Storage({ client: s3Config(), bucket, prefix, ...options });
  await storage.connect();
  const named = (key = ''): string => key.slice(prefix.length);
  const get = async (key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: prefix + key }));
    return Body;
  };
  const inside: S3Inside = {
    prefix,
    keys: async () => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
      return Contents.map(({ Key }) => named(Key)).filter((key) => key !== '.nestjs-files/probe');
    },
    uploads: async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
      return Uploads.map(({ Key }) => named(Key));
    },
    content: async (key) => (await get(key))?.transformToString(),
    bytes: async (key) => (await get(key))?.transformToByteArray(),
  };
  return { storage, client, bucket, inside };
}
