import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BlobGetPropertiesResponse, BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import type { StoredObject } from '../storage-adapter.js';
import { isMissing, isTaken } from './azure-errors.js';

/** What a request that creates a blob must send: the condition that no blob exists, and the metadata. */
export interface Creation {
  conditions: { ifNoneMatch: string };
  metadata: Record<string, string>;
}

// Milliseconds.
const COPY_POLL = 500;
// The metadata key for the id of the write that created the blob. Azure does not allow "-" in it.
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

  /** The properties of a blob, even while it is still being copied; `undefined` if there is none. */
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

  /**
   * Creates a blob if there is none. If a response is lost, the SDK sends the request again, and Azure answers that the
   * blob exists. The metadata shows whether this call created it.
   */
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

  /**
   * Copies within Azure. Fails if there is a blob at `to` already, or if the blob at `from` no longer has the ETag
   * `ifMatch`.
   */
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

  /**
   * Waits until a copy that Azure makes in the background is complete. If it fails, removes the empty blob that is
   * left, and throws.
   */
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

/** Converts Azure's properties of a blob to a `StoredObject`. */
export function storedObject(found: { contentLength?: number; lastModified?: Date }): StoredObject {
  return { size: found.contentLength ?? 0, modifiedAt: found.lastModified ?? new Date(0) };
}
