import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BlockBlobClient } from '@azure/storage-blob';
import type {
  DirectUpload,
  DirectUploadAdapter,
  PartToSign,
  SignedRequest,
  UploadedPart,
} from '../direct-upload-adapter.js';
import { locationKey } from '../location-key.js';
import type { Leftovers } from '../storage-adapter.js';
import { BLOCK_SIZE, blockName, MAX_BLOCKS } from './azure-blocks.js';
import type { AzureContainer } from './azure-container.js';
import { isLeased, isMissing } from './azure-errors.js';
import type { BlobSigner } from './azure-signing.js';

/** The path below the prefix to which clients send blocks. No file has its location there. */
export const AZURE_ARRIVALS = '.nestjs-files/uploads/';

const PART = 'part';
const ATTEMPTS = 5;
// Milliseconds.
const PAUSE = 100;

/**
 * Uploads that clients send to the container. Until it expires, the SAS for a block also allows every other write to
 * the blob. So clients send to an arrival: a temporary blob whose name nobody else knows. The server commits its
 * blocks, and copies the blob to the location of the file if it has not changed since. No signed request leads to that
 * location.
 *
 * Azure discards uncommitted blocks a week after the last one was sent. It discards them immediately if their blob is
 * written in one request, or if a block list is committed. Whether a deletion discards them is not documented, so
 * `remove` does not rely on it.
 */
export class AzureDirectUploads implements DirectUploadAdapter {
  constructor(
    private readonly container: AzureContainer,
    private readonly signed: BlobSigner,
  ) {}

  async begin(_location: string, size: number): Promise<DirectUpload> {
    return { handle: randomUUID(), partSize: Math.max(BLOCK_SIZE, Math.ceil(size / MAX_BLOCKS)) };
  }

  async sign(location: string, upload: DirectUpload, { number, size, expiresAt }: PartToSign): Promise<SignedRequest> {
    const url = await this.signed(this.container.blob(arrivalOf(location, upload)), { allowed: 'w', expiresAt });
    // Azure takes no empty block.
    if (size === 0) return { method: 'PUT', url, headers: { 'x-ms-blob-type': 'BlockBlob' } };
    const block = new URLSearchParams({ comp: 'block', blockid: blockName(PART, number) });
    return { method: 'PUT', url: `${url}&${block.toString()}`, headers: {} };
  }

  async parts(location: string, upload: DirectUpload): Promise<UploadedPart[]> {
    try {
      const found = await this.container.blob(arrivalOf(location, upload)).getBlockList('all');
      const { committedBlocks = [], uncommittedBlocks = [], blobContentLength } = found;
      const blocks = new Map(
        [...committedBlocks, ...uncommittedBlocks].map(({ name, size }) => [numberOf(name), size]),
      );
      if (blocks.size === 0 && blobContentLength === 0) blocks.set(1, 0);
      return [...blocks]
        .flatMap(([number, size]) => (number === undefined ? [] : { number, size, tag: String(size) }))
        .toSorted((one, other) => one.number - other.number);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async finish(location: string, upload: DirectUpload, parts: readonly UploadedPart[]): Promise<void> {
    const arrival = arrivalOf(location, upload);
    for (let attempt = 1; !(await this.#isThere(location)); attempt++) {
      try {
        await this.#publish(arrival, location, parts);
      } catch (error) {
        // If several calls finish the upload at the same time, only one copies. The others fail because the blob was
        // changed or removed. When they try again, they find the copied file.
        if (attempt === ATTEMPTS) throw error;
        await delay(attempt * PAUSE);
      }
    }
    await this.container.remove(arrival);
  }

  async abort(location: string): Promise<void> {
    const prefix = this.container.prefix + arrivalsAt(location);
    // Other lists leave out blobs that have only uncommitted blocks.
    for await (const { name } of this.container.client.listBlobsFlat({ prefix, includeUncommitedBlobs: true }))
      await discard(this.container.client.getBlockBlobClient(name));
  }

  /** Removes blobs that were committed before `before` and not copied. Uncommitted blocks are left to Azure. */
  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const { client, prefix } = this.container;
    const removed = { count: 0, size: 0 };
    for await (const { name, properties } of client.listBlobsFlat({ prefix: prefix + AZURE_ARRIVALS })) {
      if (signal?.aborted) break;
      if (properties.lastModified >= before) continue;
      await discard(client.getBlockBlobClient(name));
      removed.count++;
      removed.size += properties.contentLength ?? 0;
    }
    return removed;
  }

  /** Commits the blocks without the client's headers, and copies the blob only if it has the ETag of this commit. */
  async #publish(arrival: string, location: string, parts: readonly UploadedPart[]): Promise<void> {
    const blocks = parts.filter(({ size }) => size > 0).map(({ number }) => blockName(PART, number));
    const { etag } = await this.container.blob(arrival).commitBlockList(blocks);
    await this.container.copy(arrival, location, etag);
  }

  async #isThere(location: string): Promise<boolean> {
    if (!(await this.container.properties(location))) return false;
    await this.container.finishCopy(location);
    return true;
  }
}

function arrivalsAt(location: string): string {
  return `${AZURE_ARRIVALS}${locationKey(location)}/`;
}

function arrivalOf(location: string, { handle }: DirectUpload): string {
  return arrivalsAt(location) + handle;
}

/** The number of the part. It is undefined for a block whose name the client chose. */
function numberOf(name: string): number | undefined {
  const number = Number(
    Buffer.from(name, 'base64')
      .toString()
      .slice(PART.length + 1),
  );
  return blockName(PART, number) === name ? number : undefined;
}

/** Removes a blob that a client can write to. The client may hold a lease on it, which is broken. */
async function discard(blob: BlockBlobClient): Promise<void> {
  try {
    await remove(blob);
  } catch (error) {
    if (!isLeased(error)) throw error;
    await blob.getBlobLeaseClient().breakLease(0);
    await remove(blob);
  }
}

/** Removes the blob and its uncommitted blocks. The empty upload discards the blocks. */
async function remove(blob: BlockBlobClient): Promise<void> {
  await blob.upload('', 0);
  await blob.deleteIfExists({ deleteSnapshots: 'include' });
}
