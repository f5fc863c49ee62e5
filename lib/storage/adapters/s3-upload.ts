import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { CompletedPart, CopyPartResult, UploadPartCommandOutput } from '@aws-sdk/client-s3';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { placeholderOf, metadataOf, newTag } from './s3-bucket.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo, isAnswer } from './s3-fault.js';
import { checksumsIn } from './s3-part.js';

/** S3 takes no more of one upload. */
export const MAX_PARTS = 10_000;

/** The content of placeholders. Its size is what a list knows them by, before it asks for their tag. */
export const PLACEHOLDER = Buffer.from('nestjs-files: this location is being written to, and nothing is here yet.\n');

const AT_ONCE = 2;

/** An upload in parts, which is invisible until it is complete. */
export class S3Upload {
  readonly #done: CompletedPart[] = [];
  readonly #running = new Set<Promise<void>>();
  #count = 0;
  #failure: { error: unknown } | undefined;

  private constructor(
    private readonly bucket: S3Bucket,
    private readonly location: string,
    private readonly uploadId: string,
    private readonly tag: string,
    private readonly onFailure: () => void,
  ) {}

  /**
   * Uploads the parts that `fill` adds, and makes them the object at the location; throws `LocationTakenError` where
   * one is. When it fails, nothing is left. `onFailure` is called when a part fails, so that `fill` need not wait for
   * the next one.
   */
  static async run(
    bucket: S3Bucket,
    location: string,
    fill: (upload: S3Upload) => Promise<void>,
    onFailure: () => void = () => {},
  ): Promise<void> {
    const tag = newTag();
    const create = new CreateMultipartUploadCommand({ ...bucket.at(location), Metadata: metadataOf(tag) });
    const { UploadId = '' } = await answerTo(bucket.client.send(create));
    const upload = new S3Upload(bucket, location, UploadId, tag, onFailure);
    try {
      await upload.#fill(fill);
      await upload.#publish();
    } catch (error) {
      // Failed removals are swept like any other leftover.
      const isStored = await upload.#undo().catch(() => false);
      if (!isStored) throw error;
    }
  }

  /** The next part. Resolves once there is room for another one. */
  async add(bytes: Buffer): Promise<void> {
    await this.#start(async (at) => {
      const part = new UploadPartCommand({ ...at, Body: bytes, ContentLength: bytes.length });
      return answerTo(this.bucket.client.send(part));
    });
  }

  /** As `add`, of an object's bytes, or of a range of them such as `bytes=0-99`. */
  async addCopy(from: string, CopySourceRange: string | undefined): Promise<void> {
    const { Bucket, Key } = this.bucket.at(from);
    const CopySource = [Bucket, ...Key.split('/')].map(encodeURIComponent).join('/');
    await this.#start(async (at) => {
      const part = new UploadPartCopyCommand({ ...at, CopySource, CopySourceRange });
      return (await answerTo(this.bucket.client.send(part))).CopyPartResult ?? {};
    });
  }

  async #start(send: (at: S3PartPlace) => Promise<Partial<UploadPartCommandOutput> | CopyPartResult>): Promise<void> {
    const PartNumber = ++this.#count;
    const one = send({ ...this.#at, PartNumber })
      .then((answer) => {
        this.#done[PartNumber - 1] = { PartNumber, ETag: answer.ETag, ...checksumsIn(answer) };
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.onFailure();
      })
      .finally(() => this.#running.delete(one));
    this.#running.add(one);
    if (this.#running.size >= AT_ONCE) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
  }

  /** Ends only when no part is on its way: a part that arrived after the upload was aborted would be left. */
  async #fill(fill: (upload: S3Upload) => Promise<void>): Promise<void> {
    try {
      await fill(this);
    } finally {
      await this.#settle();
    }
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }

  /**
   * Few servers heed a condition on the completion, so that it would overwrite an object that came to the location
   * meanwhile. A placeholder is laid there first: an object with the condition that none is there, which every server
   * decides alike. The completion replaces it in one step. Until then nothing is read, listed or copied there, and
   * other writers are refused.
   */
  async #publish(): Promise<void> {
    const { bucket, location } = this;
    if (bucket.isConditional) await bucket.create(location, placeholderOf(this.uploadId), PLACEHOLDER);
    else if (await bucket.head(location)) throw new LocationTakenError(location);
    const complete = new CompleteMultipartUploadCommand({ ...this.#at, MultipartUpload: { Parts: this.#done } });
    await answerTo(bucket.client.send(complete));
    if (!bucket.isConditional) await bucket.assertOwn(location, this.tag);
  }

  /** Leaves nothing, unless the upload is complete, and only the reply to that was lost: then it gives `true`. */
  async #undo(): Promise<boolean> {
    const { bucket, location } = this;
    // Aborted first: a completion that is still on its way must not find the location free, and another's object in it.
    try {
      await answerTo(bucket.client.send(new AbortMultipartUploadCommand(this.#at)));
    } catch (error) {
      if (!isAnswer(error, 404)) throw error;
    }
    const there = await bucket.head(location);
    if (there?.tag === placeholderOf(this.uploadId)) await bucket.remove(location);
    return there?.tag === this.tag;
  }

  get #at(): Omit<S3PartPlace, 'PartNumber'> {
    return { ...this.bucket.at(this.location), UploadId: this.uploadId };
  }
}

interface S3PartPlace {
  Bucket: string;
  Key: string;
  UploadId: string;
  PartNumber: number;
}
