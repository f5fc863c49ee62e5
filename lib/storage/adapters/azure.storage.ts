/** @module nestjs-files/storage/azure */

import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlockBlobClient } from '@azure/storage-blob';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import {
  LocationInvalidError,
  LocationNotFoundError,
  LocationTakenError,
  StorageFailedError,
} from '../../errors/storage.errors.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import type { DirectUploadAdapter } from '../direct-upload-adapter.js';
import { dispositionFor } from '../disposition.js';
import { assertLocation } from '../location.js';
import type { MarkPlace } from '../mark-place.js';
import type {
  ByteRange,
  Leftovers,
  LocatedObject,
  StorageAdapter,
  StorageContext,
  StoredObject,
  TemporaryUrlRequest,
} from '../storage-adapter.js';
import { Storage } from '../storage.js';
import { blockName, stageBlocks } from './azure-blocks.js';
import { AzureContainer, isWhole, storedObject } from './azure-container.js';
import type { Creation } from './azure-container.js';
import { AZURE_ARRIVALS, AzureDirectUploads } from './azure-direct-uploads.js';
import { AZURE_APPENDED, AzureResumableUploads } from './azure-resumable.js';
import { codeOf, isMissing, isRefused, isStatus, isTaken, isWithoutContainer } from './azure-errors.js';
import { AZURE_MARK, AzureMark } from './azure-mark.js';
import { readOptions } from './azure-options.js';
import { signerOf } from './azure-signing.js';
import type { ToSign } from './azure-signing.js';
import { publicAddress } from './bucket-options.js';
import type { AzureStorageOptions, ReadOptions } from './azure-options.js';

export type { AzureStorageOptions };

/**
 * Keeps files in a container of Azure Blob Storage: `azureStorage({ container, prefix: 'app/', maxSize: '50MiB' })`.
 */
export function azureStorage({ container, prefix, publicBaseUrl, service, ...limits }: AzureStorageOptions): Storage {
  return new Storage(new AzureAdapter(readOptions({ container, prefix, publicBaseUrl, service })), limits);
}

// Azure's limit for the name of a blob.
const MAX_NAME = 1024;
// XML has no way to write them, and lists are XML.
const NOT_IN_XML = /[\uFFFE\uFFFF]/;
const REMOVALS_AT_ONCE = 16;

class AzureAdapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly publicUrl?: StorageAdapter['publicUrl'];
  readonly temporaryUrl?: StorageAdapter['temporaryUrl'];
  readonly directUploads?: DirectUploadAdapter;
  readonly resumableUploads: AzureResumableUploads;
  readonly #container: AzureContainer;
  /** Undefined where the client cannot sign. */
  readonly #arrivals: AzureDirectUploads | undefined;
  /** For messages: without the query, which can be a SAS. */
  readonly #place: string;

  constructor({ container, prefix, publicBaseUrl, service }: ReadOptions) {
    this.#container = new AzureContainer(container, prefix);
    const { origin, pathname } = new URL(container.url);
    this.#place = `${origin}${pathname}/${prefix}`;
    this.markPlace = new AzureMark(this.#place, this.#container.blob(AZURE_MARK));
    if (publicBaseUrl !== undefined)
      this.publicUrl = async (location) => publicAddress(publicBaseUrl, prefix + location);
    this.resumableUploads = new AzureResumableUploads(this.#container);
    const sign = signerOf({ container, service });
    if (!sign) return;
    this.temporaryUrl = (location, request) => sign(this.#container.blob(location), reading(request));
    this.directUploads = this.#arrivals = new AzureDirectUploads(this.#container, sign);
  }

  async connect({ name }: StorageContext): Promise<void> {
    const { client, prefix } = this.#container;
    try {
      await client.listBlobsFlat({ prefix }).byPage({ maxPageSize: 1 }).next();
    } catch (error) {
      const { containerName, accountName } = client;
      const expected = isWithoutContainer(error)
        ? `a container that is there: create "${containerName}" in the account "${accountName}", as \`container.create()\` does`
        : isRefused(error) &&
          `a client that may list, read, write and delete in "${containerName}" of the account "${accountName}": with the role ` +
            `"Storage Blob Data Contributor", or a SAS with the permissions rcwdl. Azure answered ${codeOf(error)}`;
      if (expected) throw new StorageOptionInvalidError('container', this.#place, expected);
      throw new StorageFailedError(name, 'connect to', this.#place, error);
    }
  }

  assertLocation(location: string): void {
    assertLocation(location);
    if (location === AZURE_MARK) throw new LocationInvalidError(location, 'the mark of the storage uses it');
    if (isOfUploads(location)) throw new LocationInvalidError(location, 'uploads are kept there');
    if (NOT_IN_XML.test(location)) throw new LocationInvalidError(location, 'lists cannot show U+FFFE and U+FFFF');
    if (this.#container.prefix.length + location.length > MAX_NAME)
      throw new LocationInvalidError(location, `with the prefix it is longer than ${MAX_NAME} characters`);
  }

  async write(location: string, content: Readable): Promise<void> {
    const blob = this.#container.blob(location);
    const staged = await stageBlocks(blob, content, async () => {
      // An early refusal, before the rest is read; Azure decides.
      if (await this.#container.properties(location)) throw new LocationTakenError(location);
    });
    await this.#container.create(location, (creation) =>
      Array.isArray(staged) ? blob.commitBlockList(staged, creation) : this.#upload(location, staged, creation),
    );
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    const count = range && range.end - range.start + 1;
    try {
      const found = await this.#container.blob(location).download(range?.start, count);
      const content = found.readableStreamBody as Readable;
      if (isWhole(found)) return content;
      content.destroy();
    } catch (error) {
      // A range after the last byte has none.
      if (isStatus(error, 416) && (await this.stat(location))) return Readable.from([]);
      if (!isMissing(error)) throw error;
    }
    throw new LocationNotFoundError(location);
  }

  async remove(location: string): Promise<void> {
    await this.#container.remove(location);
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    for (const some of inChunks(locations, REMOVALS_AT_ONCE)) {
      const outcomes = await Promise.allSettled(some.map((location) => this.remove(location)));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error;
    }
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await this.#container.properties(location);
    return found && isWhole(found) ? storedObject(found) : undefined;
  }

  async copy(from: string, to: string): Promise<void> {
    await this.#container.copy(from, to);
  }

  async move(from: string, to: string): Promise<void> {
    await this.copy(from, to);
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    const { client, prefix } = this.#container;
    const below = prefix + (directory === undefined ? '' : `${directory}/`);
    for await (const { name, properties } of client.listBlobsFlat({ prefix: below, includeCopy: true })) {
      const location = name.slice(prefix.length);
      if (location === AZURE_MARK || isOfUploads(location)) continue;
      if (isWhole(properties)) yield { location, ...storedObject(properties) };
    }
  }

  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    const appended = await this.resumableUploads.removeLeftovers(before, signal);
    const arrived = (await this.#arrivals?.removeLeftovers(before, signal)) ?? { count: 0, size: 0 };
    return { count: appended.count + arrived.count, size: appended.size + arrived.size };
  }

  /**
   * In one request, where that is possible: blocks of a write that failed can be taken for a blob then, but not where
   * blocks are committed.
   */
  async #upload(location: string, bytes: Buffer, creation: Creation): Promise<void> {
    const blob: BlockBlobClient = this.#container.blob(location);
    try {
      await blob.upload(bytes, bytes.length, creation);
    } catch (error) {
      if (!isTaken(error) || (await this.#container.properties(location))) throw error;
      const name = blockName(randomUUID(), 0);
      await blob.stageBlock(name, bytes, bytes.length);
      await blob.commitBlockList([name], creation);
    }
  }
}

function isOfUploads(location: string): boolean {
  return location.startsWith(AZURE_ARRIVALS) || location.startsWith(AZURE_APPENDED);
}

function reading({ expiresAt, disposition, name, contentType, cacheControl }: TemporaryUrlRequest): ToSign {
  const contentDisposition = dispositionFor(name, disposition);
  return { allowed: 'r', expiresAt, contentType, contentDisposition, cacheControl };
}
