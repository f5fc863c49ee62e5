import { S3Client } from '@aws-sdk/client-s3';
import { s3Storage } from 'nestjs-files/storage/s3';
import type { Storage } from 'nestjs-files/storage';
import { newS3Storage, s3Config } from '../support/s3-server.js';
import type { S3Inside } from '../support/s3-server.js';
import type { Bytes, BytesPlace } from './bytes.js';

export interface S3Place {
  bucket: string;
  prefix: string;
}

/** Sees each request to the server, again where the SDK repeats it, and sends it. */
export type Watch = <T>(name: string, send: () => Promise<T>) => Promise<T>;

export const PART_SIZE = 5 * 1024 * 1024;

/** The storage of a portal, whose requests somebody watches. */
export function watchedS3({ bucket, prefix }: S3Place, watch?: Watch): Storage {
  const client = new S3Client({
    ...s3Config(),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  // Inside of what repeats and signs.
  if (watch) client.middlewareStack.add(watching(watch), { step: 'finalizeRequest', priority: 'low' });
  return s3Storage({ client, bucket, prefix, partSize: PART_SIZE });
}

/** A prefix of a bucket on a real server. */
export class S3Bytes implements Bytes {
  private constructor(
    private readonly s3: S3Place,
    private readonly inside: S3Inside,
  ) {}

  static async build(): Promise<S3Bytes> {
    const { bucket, inside } = await newS3Storage();
    return new S3Bytes({ bucket, prefix: inside.prefix }, inside);
  }

  get place(): BytesPlace {
    return { s3: this.s3 };
  }

  open(): Storage {
    return watchedS3(this.s3);
  }

  async locations(): Promise<string[]> {
    const keys = (await this.inside.keys()).filter((key) => key !== '.nestjs-files/mark');
    return [...keys, ...(await this.inside.uploads()).map((key) => `${key}, in parts`)];
  }

  async content(location: string): Promise<Buffer> {
    return Buffer.from((await this.inside.bytes(location)) ?? '');
  }

  async clear(): Promise<void> {
    const storage = watchedS3(this.s3);
    await storage.removeLeftovers(new Date(Date.now() + 60_000));
    await storage.removeAll((await this.inside.keys()).filter((key) => key !== '.nestjs-files/mark'));
  }
}

function watching(watch: Watch) {
  return <T, R>(next: (args: T) => Promise<R>, { commandName = '' }: { commandName?: string }) =>
    (args: T): Promise<R> =>
      watch(commandName, () => next(args));
}
