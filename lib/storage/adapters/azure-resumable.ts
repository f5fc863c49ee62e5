import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { AppendBlobClient } from '@azure/storage-blob';
import { locationKey } from '../location-key.js';
import type { ResumableUploadAdapter } from '../resumable-upload-adapter.js';
import type { Leftovers } from '../storage-adapter.js';
import type { AzureContainer } from './azure-container.js';
import { isMissing, isStatus, isTaken } from './azure-errors.js';
import { sendInPieces } from './send-in-pieces.js';

/** The path below the prefix of uploads that are not finished. No file has its location there. */
export const AZURE_APPENDED = '.nestjs-files/appended/';

// Azure takes no more in one request, in all versions of its API.
const BLOCK_SIZE = 4 * 1024 * 1024;

/**
 * Uploads of several requests: an append blob, which is copied to the location of the file when it is complete. Azure
 * itself checks the position of each block, so that of two requests only one appends. A blob takes 50 000 blocks of at
 * most 4 MiB: 195 GiB.
 */
export class AzureResumableUploads implements ResumableUploadAdapter {
  constructor(private readonly container: AzureContainer) {}

  async begin(location: string): Promise<string> {
    try {
      await this.#blob(location).create({ conditions: { ifNoneMatch: '*' } });
    } catch (error) {
      // The answer was lost, and the SDK has asked again.
      if (!isTaken(error)) throw error;
    }
    return '';
  }

  async offset(location: string): Promise<number | undefined> {
    try {
      return (await this.#blob(location).getProperties()).contentLength ?? 0;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async append(location: string, _handle: string, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    const blob = this.#blob(location);
    let position = offset;
    await sendInPieces(content, BLOCK_SIZE, async (block) => {
      await this.#appendBlock(blob, block, position);
      position += block.length;
    });
    return position;
  }

  async head(location: string, _handle: string, size: number): Promise<Buffer> {
    const found = Math.min(size, (await this.offset(location)) ?? 0);
    if (found === 0) return Buffer.alloc(0);
    const { readableStreamBody } = await this.#blob(location).download(0, found);
    return buffer(readableStreamBody as Readable);
  }

  async finish(location: string): Promise<void> {
    const there = await this.container.properties(location);
    if (there) await this.container.finishCopy(location);
    else await this.#publish(location);
    await this.abort(location);
  }

  async abort(location: string): Promise<void> {
    await this.#blob(location).deleteIfExists({ deleteSnapshots: 'include' });
  }

  /** Removes what was last appended to before, of uploads that are forgotten. */
  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const { client, prefix } = this.container;
    const removed = { count: 0, size: 0 };
    for await (const { name, properties } of client.listBlobsFlat({ prefix: prefix + AZURE_APPENDED })) {
      if (signal?.aborted) break;
      if (properties.lastModified >= before) continue;
      await client.getAppendBlobClient(name).deleteIfExists({ deleteSnapshots: 'include' });
      removed.count++;
      removed.size += properties.contentLength ?? 0;
    }
    return removed;
  }

  /** Copies what is there now, and not what is appended meanwhile. */
  async #publish(location: string): Promise<void> {
    const { etag } = await this.#blob(location).getProperties();
    await this.container.copy(appendedAt(location), location, etag);
  }

  async #appendBlock(blob: AppendBlobClient, block: Buffer, appendPosition: number): Promise<void> {
    try {
      await blob.appendBlock(block, block.length, { conditions: { appendPosition } });
    } catch (error) {
      if (!isStatus(error, 412)) throw error;
      // The block is there, and only the answer was lost: the SDK has sent it again.
      const { contentLength } = await blob.getProperties();
      if (contentLength !== appendPosition + block.length) throw error;
    }
  }

  #blob(location: string): AppendBlobClient {
    return this.container.client.getAppendBlobClient(this.container.prefix + appendedAt(location));
  }
}

function appendedAt(location: string): string {
  return `${AZURE_APPENDED}${locationKey(location)}`;
}
