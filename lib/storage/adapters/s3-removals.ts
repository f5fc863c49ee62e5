import { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import type { S3Bucket } from './s3-bucket.js';
import { S3Fault, answerTo, isAnswer } from './s3-fault.js';

const KEYS_PER_REMOVAL = 1000;
const SINGLE_REMOVALS_AT_ONCE = 8;
// Each is a 400, and says nothing of what the server can do.
const PASSING = ['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired', 'RequestTimeout'];

/** Removes many objects: in few requests, or one by one on a server that cannot do that. */
export class S3Removals {
  #removesMany = true;

  constructor(private readonly bucket: S3Bucket) {}

  async removeAll(locations: readonly string[]): Promise<void> {
    for (const some of inChunks(locations, KEYS_PER_REMOVAL)) await this.#removeSome(some);
  }

  async #removeSome(locations: readonly string[]): Promise<void> {
    if (!this.#removesMany) return this.#removeSingly(locations);
    const { client, name: Bucket } = this.bucket;
    const Objects = locations.map((location) => ({ Key: this.bucket.at(location).Key }));
    try {
      const removal = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
      const { Errors: [first, ...others] = [] } = await answerTo(client.send(removal));
      if (first)
        throw new Error(
          `${others.length + 1} of ${locations.length} objects were not removed; of ${first.Key} the server says ${first.Code}: ${first.Message}`,
        );
    } catch (error) {
      if (!isInability(error)) throw error;
      await this.#removeSingly(locations);
      // Not before: a server that refuses every request may do both again later.
      this.#removesMany = false;
    }
  }

  async #removeSingly(locations: readonly string[]): Promise<void> {
    for (const some of inChunks(locations, SINGLE_REMOVALS_AT_ONCE))
      await Promise.all(some.map((location) => this.bucket.remove(location)));
  }
}

/** Not every server can remove many objects, or takes the checksum that the SDK sends. */
function isInability(error: unknown): boolean {
  return isAnswer(error, 400, 405, 411, 501) && !(error instanceof S3Fault && PASSING.includes(error.code));
}
