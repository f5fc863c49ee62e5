import { text } from 'node:stream/consumers';
import type { MarkPlace } from '../mark-place.js';
import { MARK_TRUSTED_FOR } from './bucket-options.js';
import type { GcsBucket } from './gcs-bucket.js';
import { isStatus } from './gcs-errors.js';
import { LocationTakenError } from '../../errors/storage.errors.js';

/** Where the mark is below the prefix: no location of a file. */
export const GCS_MARK = '.nestjs-files/mark';

/** The mark of a bucket, or of a prefix in it: an object. */
export class GcsMark implements MarkPlace {
  readonly trustedFor = MARK_TRUSTED_FOR;

  constructor(private readonly bucket: GcsBucket) {}

  get place(): string {
    return this.bucket.place;
  }

  async read(): Promise<string | undefined> {
    try {
      return await text(await this.bucket.read(GCS_MARK));
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async create(mark: string): Promise<boolean> {
    try {
      await this.bucket.create(GCS_MARK, (creation) => this.bucket.put(GCS_MARK, Buffer.from(mark), creation));
      return true;
    } catch (error) {
      if (error instanceof LocationTakenError) return false;
      throw error;
    }
  }

  async replace(mark: string): Promise<void> {
    const found = await this.bucket.stat(GCS_MARK);
    await this.bucket.create(GCS_MARK, (creation) => {
      const conditions = { ifGenerationMatch: found?.generation ?? 0 };
      return this.bucket.put(GCS_MARK, Buffer.from(mark), { ...creation, conditions });
    });
  }
}
