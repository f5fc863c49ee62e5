import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { LocationTakenError } from '../../errors/storage.errors.js';
import type { StoredObject } from '../storage-adapter.js';
import { answerTo, isAnswer } from './s3-fault.js';

/** An object, and the tag of the request that made it. Objects of other programs have no tag. */
export interface S3Object extends StoredObject {
  tag: string | undefined;
}

const TAG = 'nestjs-files';
const ATTEMPTS = 5;
const PAUSE = 100;

/** The tag of a write, of no other one. */
export const newTag = (): string => `write:${randomUUID()}`;

/** The tag of the placeholder that an upload lays on its location. */
export const placeholderOf = (uploadId: string): string => `placeholder:${uploadId}`;

export const isPlaceholder = (tag: string | undefined): boolean => tag?.startsWith('placeholder:') ?? false;

/** As metadata: of ASCII, because signatures of other characters fail. */
export const metadataOf = (tag: string): Record<string, string> => ({ [TAG]: tag });

export const tagIn = (metadata: Record<string, string> | undefined): string | undefined => metadata?.[TAG];

/** The part of a bucket that is below the prefix: objects, one at a time, by their locations. */
export class S3Bucket {
  constructor(
    readonly client: S3Client,
    readonly name: string,
    readonly prefix: string,
    /** Whether the server heeds the condition that no object exists. */
    readonly isConditional: boolean,
  ) {}

  at(location: string): { Bucket: string; Key: string } {
    return { Bucket: this.name, Key: this.prefix + location };
  }

  /** Placeholders are objects, too: their tag tells. */
  async head(location: string): Promise<S3Object | undefined> {
    try {
      const found = await answerTo(this.client.send(new HeadObjectCommand(this.at(location))));
      const { ContentLength: size = 0, LastModified: modifiedAt = new Date(0), Metadata } = found;
      return { size, modifiedAt, tag: tagIn(Metadata) };
    } catch (error) {
      if (isAnswer(error, 404)) return undefined;
      throw error;
    }
  }

  async get(location: string, Range?: string): Promise<GetObjectCommandOutput> {
    return answerTo(this.client.send(new GetObjectCommand({ ...this.at(location), Range })));
  }

  async remove(location: string): Promise<void> {
    await answerTo(this.client.send(new DeleteObjectCommand(this.at(location))));
  }

  /** Replaces what is there. With a condition only if nothing is there: the server answers 412 otherwise. */
  async put(location: string, tag: string, bytes: Buffer, IfNoneMatch?: '*'): Promise<void> {
    const content = { Body: bytes, ContentLength: bytes.length, Metadata: metadataOf(tag) };
    await answerTo(this.client.send(new PutObjectCommand({ ...this.at(location), ...content, IfNoneMatch })));
  }

  /** Makes an object if none exists. Throws `LocationTakenError` if one does, also for the losers of a race. */
  async create(location: string, tag: string, bytes: Buffer): Promise<void> {
    if (!this.isConditional) return this.#createUnconditionally(location, tag, bytes);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.put(location, tag, bytes, '*');
      } catch (fault) {
        const there = await this.head(location).catch(() => {
          throw fault;
        });
        // It was stored, and only the reply to that was lost.
        if (there?.tag === tag) return;
        if (there || isAnswer(fault, 412)) throw new LocationTakenError(location, undefined, { cause: fault });
        // 409: another request for the object is under way.
        if (!isAnswer(fault, 409) || attempt === ATTEMPTS) throw fault;
        await delay(attempt * PAUSE);
      }
    }
  }

  /** Throws `LocationTakenError` where another object came to be at the location meanwhile. */
  async assertOwn(location: string, tag: string): Promise<void> {
    if ((await this.head(location))?.tag !== tag) throw new LocationTakenError(location);
  }

  async #createUnconditionally(location: string, tag: string, bytes: Buffer): Promise<void> {
    if (await this.head(location)) throw new LocationTakenError(location);
    await this.put(location, tag, bytes);
    await this.assertOwn(location, tag);
  }
}
