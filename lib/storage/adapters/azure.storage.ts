/** @module nestjs-files/storage/azure */

import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  BlobGenerateSasUrlOptions,
  BlobGetPropertiesResponse,
  BlobSASPermissions,
  BlobServiceClient,
  BlockBlobClient,
  ContainerClient,
  UserDelegationKey,
} from '@azure/storage-blob';
import { LinkOptionInvalidError, StorageOptionInvalidError } from '../../errors/setup.errors.js';
import {
  LocationInvalidError,
  LocationNotFoundError,
  LocationTakenError,
  StorageFailedError,
} from '../../errors/storage.errors.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import { dispositionFor } from '../disposition.js';
import { assertLocation } from '../location.js';
import type { MarkPlace } from '../mark-place.js';
import type {
  ByteRange,
  LocatedObject,
  StorageAdapter,
  StorageContext,
  StoredObject,
  TemporaryUrlRequest,
} from '../storage-adapter.js';
import { Storage } from '../storage.js';
import { blockName, stageBlocks } from './azure-blocks.js';
import { codeOf, isMissing, isRefused, isStatus, isTaken, isWithoutContainer } from './azure-errors.js';
import { AZURE_MARK, AzureMark } from './azure-mark.js';
import { readOptions } from './azure-options.js';
import { publicAddress } from './bucket-options.js';
import type { AzureStorageOptions, ReadOptions } from './azure-options.js';

export type { AzureStorageOptions };

/** Keeps files in a container of Azure Blob Storage: `azureStorage({ container, prefix: 'app/', maxSize: '50MiB' })`. */
export function azureStorage({ container, prefix, publicBaseUrl, service, ...limits }: AzureStorageOptions): Storage {
  return new Storage(new AzureAdapter(readOptions({ container, prefix, publicBaseUrl, service })), limits);
}

// Of the name of a blob, as Azure has it.
const MAX_NAME = 1024;
// XML has no way to write them, and lists are XML.
const NOT_IN_XML = /[\uFFFE\uFFFF]/;
const REMOVALS_AT_ONCE = 16;
// Milliseconds.
const COPY_POLL = 500;
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
// In the metadata of a blob: the write that made it. Azure takes no "-" there.
const WRITE = 'nestjsfileswrite';
// The SDK asks for its letters; its own class would have to be imported.
const READ_ONLY = { toString: () => 'r' } as BlobSASPermissions;

class AzureAdapter implements StorageAdapter {
  readonly markPlace: MarkPlace;
  readonly publicUrl?: StorageAdapter['publicUrl'];
  readonly temporaryUrl?: StorageAdapter['temporaryUrl'];
  readonly #container: ContainerClient;
  readonly #prefix: string;
  /** For messages: without the query, which can be a SAS. */
  readonly #place: string;
  #delegated: UserDelegationKey | undefined;

  constructor({ container, prefix, publicBaseUrl, service }: ReadOptions) {
    this.#container = container;
    this.#prefix = prefix;
    const { origin, pathname } = new URL(container.url);
    this.#place = `${origin}${pathname}/${prefix}`;
    this.markPlace = new AzureMark(this.#place, this.#blob(AZURE_MARK));
    const hasSharedKey = 'computeHMACSHA256' in container.credential;
    if (hasSharedKey) this.temporaryUrl = (location, asked) => this.#blob(location).generateSasUrl(signedFor(asked));
    else if (service) this.temporaryUrl = (location, asked) => this.#delegatedUrl(service, location, asked);
    if (publicBaseUrl === undefined) return;
    this.publicUrl = async (location) => publicAddress(publicBaseUrl, prefix + location);
  }

  async connect({ name }: StorageContext): Promise<void> {
    try {
      await this.#container.listBlobsFlat({ prefix: this.#prefix }).byPage({ maxPageSize: 1 }).next();
    } catch (error) {
      const { containerName, accountName } = this.#container;
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
    if (location === AZURE_MARK) throw new LocationInvalidError(location, 'it is that of the mark of the storage');
    if (NOT_IN_XML.test(location)) throw new LocationInvalidError(location, 'lists cannot show U+FFFE and U+FFFF');
    if (this.#prefix.length + location.length > MAX_NAME)
      throw new LocationInvalidError(location, `with the prefix it is longer than ${MAX_NAME} characters`);
  }

  async write(location: string, content: Readable): Promise<void> {
    const blob = this.#blob(location);
    // Told before the content is read, where it can be; Azure is what decides.
    if (await propertiesOf(blob)) throw new LocationTakenError(location);
    const staged = await stageBlocks(blob, content);
    await this.#create(location, (creation) =>
      Array.isArray(staged) ? blob.commitBlockList(staged, creation) : upload(blob, staged, creation),
    );
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    const count = range && range.end - range.start + 1;
    try {
      const found = await this.#blob(location).download(range?.start, count);
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
    await this.#blob(location).deleteIfExists({ deleteSnapshots: 'include' });
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    for (const some of inChunks(locations, REMOVALS_AT_ONCE)) {
      const outcomes = await Promise.allSettled(some.map((location) => this.remove(location)));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason as Error;
    }
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await propertiesOf(this.#blob(location));
    return found && isWhole(found) ? storedObject(found) : undefined;
  }

  async copy(from: string, to: string): Promise<void> {
    const [source, target] = [this.#blob(from), this.#blob(to)];
    await this.#create(to, async (creation) => {
      try {
        await target.beginCopyFromURL(source.url, creation);
      } catch (error) {
        throw isMissing(error) ? new LocationNotFoundError(from, undefined, { cause: error }) : error;
      }
    });
    await this.#finishCopy(to);
  }

  async move(from: string, to: string): Promise<void> {
    await this.copy(from, to);
    await this.remove(from);
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    const prefix = this.#prefix + (directory === undefined ? '' : `${directory}/`);
    for await (const { name, properties } of this.#container.listBlobsFlat({ prefix, includeCopy: true })) {
      const location = name.slice(this.#prefix.length);
      if (location !== AZURE_MARK && isWhole(properties)) yield { location, ...storedObject(properties) };
    }
  }

  /** Makes a blob if none exists. After a lost answer the SDK asks again and finds its own blob, which is recognised by its metadata. */
  async #create(location: string, make: (creation: Creation) => Promise<unknown>): Promise<void> {
    const write = randomUUID();
    try {
      await make({ conditions: { ifNoneMatch: '*' }, metadata: { [WRITE]: write } });
    } catch (error) {
      if (!isTaken(error)) throw error;
      const found = await propertiesOf(this.#blob(location));
      if (found?.metadata?.[WRITE] !== write) throw new LocationTakenError(location, undefined, { cause: error });
    }
  }

  /** Waits for a copy that Azure makes in the background. A failed copy is an empty blob, and is removed. */
  async #finishCopy(to: string): Promise<void> {
    for (;;) {
      const { copyStatus, copyStatusDescription } = await this.#blob(to).getProperties();
      if (isWhole({ copyStatus })) return;
      if (copyStatus !== 'pending') {
        await this.remove(to);
        throw new Error(`the copy is ${copyStatus}: ${copyStatusDescription}`);
      }
      await delay(COPY_POLL);
    }
  }

  async #delegatedUrl(service: BlobServiceClient, location: string, asked: TemporaryUrlRequest): Promise<string> {
    if (this.#delegated === undefined || this.#delegated.signedExpiresOn < asked.expiresAt) {
      const from = Date.now() - 15 * MINUTE; // for clocks that are late
      const until = Math.max(asked.expiresAt.getTime(), Date.now() + DAY);
      if (until > from + 7 * DAY)
        throw new LinkOptionInvalidError(
          'expiresAt',
          asked.expiresAt,
          'in less than 7 days: user delegation keys last no longer',
        );
      this.#delegated = await service.getUserDelegationKey(new Date(from), new Date(until));
    }
    return this.#blob(location).generateUserDelegationSasUrl(signedFor(asked), this.#delegated);
  }

  #blob(location: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(this.#prefix + location);
  }
}

/** The condition that no blob exists. */
interface Creation {
  conditions: { ifNoneMatch: string };
  metadata: Record<string, string>;
}

/** In one request, where that is possible: blocks of a write that failed can be taken for a blob then, but not where blocks are committed. */
async function upload(blob: BlockBlobClient, bytes: Buffer, creation: Creation): Promise<void> {
  try {
    await blob.upload(bytes, bytes.length, creation);
  } catch (error) {
    if (!isTaken(error) || (await propertiesOf(blob))) throw error;
    const name = blockName(randomUUID(), 0);
    await blob.stageBlock(name, bytes, bytes.length);
    await blob.commitBlockList([name], creation);
  }
}

async function propertiesOf(blob: BlockBlobClient): Promise<BlobGetPropertiesResponse | undefined> {
  try {
    return await blob.getProperties();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether all bytes are there: a blob is empty while it is copied, and when that failed. */
function isWhole({ copyStatus }: { copyStatus?: string | undefined }): boolean {
  return copyStatus === undefined || copyStatus === 'success';
}

function storedObject(found: { contentLength?: number; lastModified?: Date }): StoredObject {
  return { size: found.contentLength ?? 0, modifiedAt: found.lastModified ?? new Date(0) };
}

function signedFor(request: TemporaryUrlRequest): BlobGenerateSasUrlOptions {
  const { expiresAt, disposition, name, contentType, cacheControl } = request;
  const contentDisposition = dispositionFor(name, disposition);
  return { permissions: READ_ONLY, expiresOn: expiresAt, contentType, contentDisposition, cacheControl };
}
