import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Bucket, File } from '@google-cloud/storage';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import type { Leftovers, LocatedObject, StoredObject } from '../storage-adapter.js';
import { isCorrupted, isMissing, isStatus } from './gcs-errors.js';
import { openContent } from './gcs-read.js';

/** An object, and its generation, which no other content of the same name has. */
export interface GcsObject extends StoredObject {
  generation: string;
}

/** An object as the source of another one: it has to have the generation still. */
export interface GcsSource {
  location: string;
  generation: string;
}

/** What a request that creates an object must send: the condition that no object exists, and the metadata. */
export interface Creation {
  /** The query of a request. */
  conditions: { ifGenerationMatch: number | string };
  /** The resource of the object. */
  resource: { contentType: string; metadata: Record<string, string> };
}

interface Resource {
  name: string;
  size: string;
  updated: string;
  generation: string;
  metadata?: Record<string, string>;
}

interface Rewritten {
  /** As long as it is not done. */
  rewriteToken?: string;
}

/** Without what is undefined: the client sends it as an empty text. */
type Query = Record<string, string | number>;

// In the metadata of an object: the write that made it.
const WRITE = 'nestjs-files-write';
const REMOVALS_AT_ONCE = 16;
const LISTED_AT_ONCE = 160;

/**
 * The part of a bucket that is below the prefix: objects, by their locations. Requests go through `bucket.request()` of
 * the client, which authenticates and retries. Its own methods turn retries off for all that the process sends
 * meanwhile, where they have no condition.
 */
export class GcsBucket {
  constructor(
    readonly client: Bucket,
    readonly prefix: string,
  ) {}

  /** For messages. */
  get place(): string {
    return `gs://${this.client.name}/${this.prefix}`;
  }

  file(location: string): File {
    return this.client.file(this.prefix + location);
  }

  /** The facts about an object; `undefined` if there is none. */
  async stat(location: string): Promise<GcsObject | undefined> {
    const found = await this.#resource(location);
    return found && objectOf(found);
  }

  /** The content, or a range of it. Nothing is there: throws an error that `isMissing` knows, before the first byte. */
  async read(location: string, range?: string): Promise<Readable> {
    return openContent(this.client, this.prefix + location, range);
  }

  /**
   * Creates an object if there is none. If a response is lost, the client sends the request again, and Google answers
   * that the object exists. The metadata shows whether this call created it. An object whose checksum is wrong is
   * removed.
   */
  async create(location: string, make: (creation: Creation) => Promise<unknown>): Promise<void> {
    const write = randomUUID();
    const resource = { contentType: 'application/octet-stream', metadata: { [WRITE]: write } };
    try {
      await make({ conditions: { ifGenerationMatch: 0 }, resource });
    } catch (error) {
      const found = await this.#resource(location).catch(() => {
        throw error;
      });
      const isOwn = found?.metadata?.[WRITE] === write;
      if (isOwn && !isCorrupted(error)) return;
      // Where it cannot be removed, it is swept as any other leftover.
      if (isOwn) await this.#removeOnly(location, found.generation).catch(() => {});
      if (isStatus(error, 412) && found) throw new LocationTakenError(location, undefined, { cause: error });
      throw error;
    }
  }

  /** Makes an object of the bytes in one request. */
  async put(location: string, bytes: Buffer, { conditions, resource }: Creation): Promise<void> {
    await this.file(location).save(bytes, { resumable: false, preconditionOpts: conditions, metadata: resource });
  }

  /**
   * Copies within Google, in as many steps as that takes. `File.copy` of the client has the condition in the first one
   * only.
   */
  async copy(from: string, to: string): Promise<void> {
    const uri = `${this.#uri(from)}/rewriteTo/b/${this.client.name}${this.#uri(to)}`;
    await this.create(to, async ({ conditions, resource }) => {
      try {
        let { rewriteToken } = await this.#post<Rewritten>(uri, conditions, resource);
        while (rewriteToken !== undefined)
          ({ rewriteToken } = await this.#post<Rewritten>(uri, { ...conditions, rewriteToken }, resource));
      } catch (error) {
        throw isMissing(error) ? new LocationNotFoundError(from, undefined, { cause: error }) : error;
      }
    });
  }

  /** Makes an object of at most 32 others, in their order. */
  async compose(sources: readonly GcsSource[], to: string, { conditions, resource }: Creation): Promise<void> {
    const sourceObjects = sources.map(({ location, generation }) => {
      return { name: this.prefix + location, generation, objectPreconditions: { ifGenerationMatch: generation } };
    });
    await this.#post(`${this.#uri(to)}/compose`, conditions, { destination: resource, sourceObjects });
  }

  async remove(location: string): Promise<void> {
    try {
      await this.#ask({ method: 'DELETE', uri: this.#uri(location) });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** Removes the object if it still has this content. */
  async #removeOnly(location: string, generation: string): Promise<void> {
    await this.#ask({ method: 'DELETE', uri: this.#uri(location), qs: { ifGenerationMatch: generation } });
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    for (const some of inChunks(locations, REMOVALS_AT_ONCE)) {
      const outcomes = await Promise.allSettled(some.map((location) => this.remove(location)));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error;
    }
  }

  /** All objects whose location begins so, in the order of their names. */
  async *below(beginning: string): AsyncGenerator<LocatedObject & GcsObject, void> {
    let pageToken: string | undefined;
    do {
      const qs = { prefix: this.prefix + beginning, ...(pageToken !== undefined && { pageToken }), fields: LISTED };
      const page = await this.#ask<{ items?: Resource[]; nextPageToken?: string }>({ uri: '/o', qs });
      for (const found of page.items ?? [])
        yield { location: found.name.slice(this.prefix.length), ...objectOf(found) };
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  /**
   * Removes all objects whose location begins so; with a date those that were written before. Once the signal is
   * aborted, it leaves those that it has not found yet.
   */
  async removeBelow(beginning: string, before?: Date, signal?: AbortSignal): Promise<Leftovers> {
    const removed = { count: 0, size: 0 };
    const some: string[] = [];
    for await (const { location, size, modifiedAt } of this.below(beginning)) {
      if (signal?.aborted) break;
      if (before && modifiedAt >= before) continue;
      some.push(location);
      removed.count++;
      removed.size += size;
      if (some.length === LISTED_AT_ONCE) await this.removeAll(some.splice(0));
    }
    await this.removeAll(some);
    return removed;
  }

  async #resource(location: string): Promise<Resource | undefined> {
    try {
      return await this.#ask<Resource>({ uri: this.#uri(location) });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #post<T>(uri: string, qs: Query, json: object): Promise<T> {
    return this.#ask<T>({ method: 'POST', uri, qs, json });
  }

  async #ask<T>(options: Parameters<Bucket['request']>[0]): Promise<T> {
    const [answer] = await this.client.request(options);
    return answer as T;
  }

  #uri(location: string): string {
    return `/o/${encodeURIComponent(this.prefix + location)}`;
  }
}

const LISTED = 'items(name,size,updated,generation),nextPageToken';

function objectOf({ size, updated, generation }: Resource): GcsObject {
  return { size: Number(size), modifiedAt: new Date(updated), generation };
}
