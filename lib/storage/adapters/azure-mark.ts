import { text } from 'node:stream/consumers';
import type { BlockBlobClient } from '@azure/storage-blob';
import type { MarkPlace } from '../mark-place.js';
import { MARK_TRUSTED_FOR } from './bucket-options.js';
import { isStatus, isTaken } from './azure-errors.js';

/** Where the mark is below the prefix: no location of a file. */
export const AZURE_MARK = '.nestjs-files/mark';

/** The mark of a container, or of a prefix in it: a blob. */
export class AzureMark implements MarkPlace {
  readonly trustedFor = MARK_TRUSTED_FOR;

  constructor(
    readonly place: string,
    private readonly blob: BlockBlobClient,
  ) {}

  async read(): Promise<string | undefined> {
    try {
      const { readableStreamBody } = await this.blob.download();
      return await text(readableStreamBody as NodeJS.ReadableStream);
    } catch (error) {
      if (isStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async create(mark: string): Promise<boolean> {
    try {
      await this.blob.upload(mark, Buffer.byteLength(mark), { conditions: { ifNoneMatch: '*' } });
      return true;
    } catch (error) {
      // After a lost answer the SDK asks again, and finds its own blob.
      if (isTaken(error)) return (await this.read()) === mark;
      throw error;
    }
  }

  async replace(mark: string): Promise<void> {
    await this.blob.upload(mark, Buffer.byteLength(mark));
  }
}
