/** @module nestjs-files/storage/database */

import { Readable } from 'node:stream';
import { Between, In, MoreThan } from 'typeorm';
import type { DataSource, EntityManager, Repository } from 'typeorm';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { LocationNotFoundError, LocationTakenError } from '../../errors/storage.errors.js';
import { StorageOptionInvalidError } from '../../errors/setup.errors.js';
import { currentUnit } from '../../unit-of-work/unit-of-work.js';
import { readAuthoritatively } from '../../unit-of-work/typeorm/query-builders.js';
import { databaseFault } from '../../unit-of-work/transaction/database-fault.js';
import { locationKey } from '../location-key.js';
import type { ByteRange, LocatedObject, StorageAdapter, StorageContext, StoredObject } from '../storage-adapter.js';
import type { StorageLimits } from '../storage-limits.js';
import { Storage } from '../storage.js';
import { PART_SIZE, StoredBytes } from './stored-bytes.entity.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';

export interface DatabaseStorageOptions extends StorageLimits {
  /** The largest file: all of it is in memory when it is written and read. @default '1MiB' */
  maxSize?: number | string;
  /** Where the bytes are; it has to know the entity `StoredBytes`. @default the data source of FilesModule */
  dataSource?: DataSource;
}

/**
 * Keeps small files in the application's database, where they commit, and are backed up, with their rows:
 * `databaseStorage({ maxSize: '256KiB', acceptedTypes: ['image'] })`.
 */
export function databaseStorage({ dataSource, maxSize = '1MiB', ...limits }: DatabaseStorageOptions = {}): Storage {
  return new Storage(new DatabaseAdapter(dataSource), { ...limits, maxSize });
}

export { StoredBytes };

// Together less than a megabyte, which every server takes in one packet.
const PARTS_PER_STATEMENT = 16;
const ROWS_PER_PAGE = 500;
const KEYS_PER_STATEMENT = 10_000;

/** The state of a connected storage. */
interface Known {
  readonly name: string;
  readonly maxSize: number;
  readonly dataSource: DataSource;
}

class DatabaseAdapter implements StorageAdapter {
  readonly isTransactional = true;
  /** The applications that have this storage, the last one last: several run where one module is booted twice. */
  #known: readonly Known[] = [];

  constructor(private readonly given: DataSource | undefined) {}

  async connect({ name, maxSize = Number.POSITIVE_INFINITY, ...context }: StorageContext): Promise<void> {
    const dataSource = this.given ?? context.dataSource;
    if (!dataSource?.hasMetadata(StoredBytes)) {
      throw new StorageOptionInvalidError(
        'dataSource',
        undefined,
        'a data source with the entity StoredBytes of FILES_ENTITIES',
      );
    }
    // FilesModule does this for its own data source only.
    readAuthoritatively(dataSource);
    const others = this.#known.filter((known) => known.dataSource !== dataSource && known.dataSource.isInitialized);
    this.#known = [...others, { name, maxSize, dataSource }];
  }

  async write(location: string, content: Readable): Promise<void> {
    if (await this.stat(location)) throw new LocationTakenError(location);
    const bytes = await this.#collect(content);
    await this.#inTransaction(location, (manager) => this.#insert(manager, location, bytes));
  }

  async read(location: string, range?: ByteRange): Promise<Readable> {
    const [from, to] = range ? [range.start, range.end] : [0, Number.MAX_SAFE_INTEGER];
    const first = Math.floor(from / PART_SIZE);
    const last = Math.min(Math.floor(to / PART_SIZE), 2 ** 31 - 1);
    const parts = await this.#bytes.find({
      where: { ...this.#at(location), part: Between(first, last) },
      order: { part: 'ASC' },
    });
    if (parts.length === 0 && !(await this.stat(location))) throw new LocationNotFoundError(location);
    const bytes = Buffer.concat(parts.map((part) => part.bytes));
    const start = from - first * PART_SIZE;
    return Readable.from(range ? [bytes.subarray(start, start + to - from + 1)] : parts.map((part) => part.bytes), {
      objectMode: false,
    });
  }

  async remove(location: string): Promise<void> {
    await this.#bytes.delete(this.#at(location));
  }

  async removeAll(locations: readonly string[]): Promise<void> {
    for (const chunk of inChunks(locations, KEYS_PER_STATEMENT)) {
      const keys = chunk.map(locationKey);
      await this.#bytes.delete({ storage: this.#context.name, locationKey: In(keys) });
    }
  }

  async stat(location: string): Promise<StoredObject | undefined> {
    const found = await this.#bytes.findOne({
      select: { storage: true, locationKey: true, part: true, size: true, storedAt: true },
      where: { ...this.#at(location), part: 0 },
    });
    return found ? { size: found.size, modifiedAt: new Date(Number(found.storedAt)) } : undefined;
  }

  async copy(from: string, to: string): Promise<void> {
    await this.#inTransaction(to, async (manager) => {
      const parts = await manager.find(StoredBytes, { where: this.#at(from), order: { part: 'ASC' } });
      if (parts.length === 0) throw new LocationNotFoundError(from);
      await this.#insert(manager, to, Buffer.concat(parts.map(({ bytes }) => bytes)));
    });
  }

  async move(from: string, to: string): Promise<void> {
    await this.#inTransaction(to, async (manager) => {
      const { affected } = await manager.update(StoredBytes, this.#at(from), { ...this.#at(to), location: to });
      if (affected === 0) throw new LocationNotFoundError(from);
    });
  }

  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    for (let after = ''; ;) {
      const page = await this.#bytes.find({
        select: { storage: true, locationKey: true, part: true, location: true, size: true, storedAt: true },
        where: { storage: this.#context.name, part: 0, locationKey: MoreThan(after) },
        order: { locationKey: 'ASC' },
        take: ROWS_PER_PAGE,
      });
      for (const { location, size, storedAt } of page) {
        if (directory !== undefined && !location.startsWith(`${directory}/`)) continue;
        yield { location, size, modifiedAt: new Date(Number(storedAt)) };
      }
      const last = page.at(-1);
      if (last === undefined || page.length < ROWS_PER_PAGE) return;
      after = last.locationKey;
    }
  }

  async #collect(content: Readable): Promise<Buffer> {
    const { name, maxSize } = this.#context;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of content) {
      const bytes = Buffer.from(chunk as Uint8Array | string);
      size += bytes.length;
      if (size > maxSize) throw new FileTooLargeError(name, maxSize);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  }

  async #insert(manager: EntityManager, location: string, all: Buffer): Promise<void> {
    const shared = { ...this.#at(location), location, size: all.length, storedAt: Date.now() };
    const parts = Array.from({ length: Math.max(1, Math.ceil(all.length / PART_SIZE)) }, (_, part) => {
      return { ...shared, part, bytes: all.subarray(part * PART_SIZE, (part + 1) * PART_SIZE) };
    });
    for (const chunk of inChunks(parts, PARTS_PER_STATEMENT)) {
      await manager.insert(StoredBytes, chunk);
    }
  }

  /** Runs in the caller's transaction, under a savepoint, or in a new one. */
  async #inTransaction(location: string, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.#context.dataSource.transaction(work);
    } catch (error) {
      if (databaseFault(error) === 'unique') throw new LocationTakenError(location, undefined, { cause: error });
      throw error;
    }
  }

  #at(location: string): { storage: string; locationKey: string } {
    return { storage: this.#context.name, locationKey: locationKey(location) };
  }

  get #bytes(): Repository<StoredBytes> {
    return this.#context.dataSource.getRepository(StoredBytes);
  }

  /** Of the application whose unit of work is open; outside of units, of the last one. */
  get #context(): Known {
    const here = currentUnit()?.dataSource;
    const known =
      this.#known.find(({ dataSource }) => dataSource === here) ??
      this.#known.findLast(({ dataSource }) => dataSource.isInitialized);
    if (known) return known;
    const what = 'a data source, and connect() before the first use, as FilesModule calls it';
    throw new StorageOptionInvalidError('dataSource', this.given, what);
  }
}
