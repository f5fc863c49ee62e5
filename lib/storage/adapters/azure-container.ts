import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BlobGetPropertiesResponse, BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import type { StoredObject } from '../storage-adapter.js';
import { isMissing, isTaken } from './azure-errors.js';

/** For what makes a blob: only where none is. */
export interface Creation {
  conditions: { ifNoneMatch: string };
  metadata: Record<string, string>;
}

// Milliseconds.
const COPY_POLL = 500;
// In the metadata of a blob: the write that made it. Azure takes no "-" there.
const WRITE = 'nestjsfileswrite';

/** The part of a container that is below the prefix: blobs, one at a time, by their locations. */
export class AzureContainer {
  constructor(
    readonly client: ContainerClient,
    readonly prefix: string,
  ) {}

  blob(location: string): BlockBlobClient {
    return this.client.getBlockBlobClient(this.prefix + location);
  }

  /** What is known of a blob, also of one that is still being copied; `undefined` where none is. */
  async properties(location: string): Promise<BlobGetPropertiesResponse | undefined> {
    try {
      return await this.blob(location).getProperties();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async remove(location: string): Promise<void> {
    await this.blob(location).deleteIfExists({ deleteSnapshots: 'include' });
  }

  /** Makes a blob where none is. Where an answer is lost, the SDK asks again and is told of what it made itself: that is known by its metadata. */
  async create(location: string, make: (creation: Creation) => Promise<unknown>): Promise<void> {
    const write = randomUUID();
    try {
      await make({ conditions: { ifNoneMatch: '*' }, metadata: { [WRITE]: write } });
    } catch (error) {
      if (!isTaken(error)) throw error;
      const found = await this.properties(location);
      if (found?.metadata?.[WRITE] !== write) throw new LocationTakenError(location, undefined, { cause: error });
    }
  }

  /** Copies within Azure, to where nothing is; with an ETag only what still has it. */
  async copy(from: string, to: string, ifMatch?: string): Promise<void> {
    const [source, target] = [this.blob(from), this.blob(to)];
    await this.create(to, async (creation) => {
      try {
        await target.beginCopyFromURL(source.url, { ...creation, ...(ifMatch && { sourceConditions: { ifMatch } }) });
      } catch (error) {
        throw isMissing(error) ? new LocationNotFoundError(from, undefined, { cause: error }) : error;
      }
    });
    await this.finishCopy(to);
  }

  /** Waits for what Azure copies in the background. A copy that failed is an empty blob, and removed. */
  async finishCopy(to: string): Promise<void> {
    for (;;) {
      const { copyStatus, copyStatusDescription } = await this.blob(to).getProperties();
      if (isWhole({ copyStatus })) return;
      if (copyStatus !== 'pending') {
        await this.remove(to);
        throw new Error(`the copy is ${copyStatus}: ${copyStatusDescription}`);
      }
      await delay(COPY_POLL);
    }
  }
}

/** Whether all bytes are there: a blob is empty while it is copied, and when that failed. */
export function isWhole({ copyStatus }: { copyStatus?: string | undefined }): boolean {
  return copyStatus === undefined || copyStatus === 'success';
}

/** What Azure tells of a blob, as storages tell it. */
export function storedObject(found: { contentLength?: number; lastModified?: Date }): StoredObject {
  return { size: found.contentLength ?? 0, modifiedAt: found.lastModified ?? new Date(0) };
}
