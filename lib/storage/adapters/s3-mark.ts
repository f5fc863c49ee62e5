import { LocationTakenError } from '../../errors/storage.errors.js';
import type { MarkPlace } from '../mark-place.js';
import { MARK_TRUSTED_FOR } from './bucket-options.js';
import { newTag } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { isMissingObject } from './s3-fault.js';

/** Where the mark is below the prefix: no location of a file. */
export const S3_MARK = '.nestjs-files/mark';

/** The mark of a bucket, or of a prefix in it: an object. */
export class S3Mark implements MarkPlace {
  readonly place: string;
  readonly trustedFor = MARK_TRUSTED_FOR;

  constructor(private readonly bucket: S3Bucket) {
    this.place = `s3://${bucket.name}/${bucket.prefix}`;
  }

  async read(): Promise<string | undefined> {
    try {
      const { Body } = await this.bucket.get(S3_MARK);
      return await Body?.transformToString();
    } catch (error) {
      if (isMissingObject(error)) return undefined;
      throw error;
    }
  }

  async create(mark: string): Promise<boolean> {
    try {
      await this.bucket.create(S3_MARK, newTag(), Buffer.from(mark));
      return true;
    } catch (error) {
      if (error instanceof LocationTakenError) return false;
      throw error;
    }
  }

  async replace(mark: string): Promise<void> {
    await this.bucket.put(S3_MARK, newTag(), Buffer.from(mark));
  }
}
