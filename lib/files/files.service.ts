import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import type { Repository } from 'typeorm';
import { ContentTypeError } from '../errors/content-type.error.js';
import { FileNotFoundError } from '../errors/file-not-found.error.js';
import { FilePinnedError } from '../errors/file-pinned.error.js';
import { LocationTakenError } from '../errors/location-taken.error.js';
import { RangeInvalidError } from '../errors/range-invalid.error.js';
import { Capability } from '../storage/capability.js';
import { parseContentType } from '../storage/content-type.js';
import type { ByteRange, Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { databaseFault } from '../unit-of-work/database-fault.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ActorSource } from './actor.js';
import { asReadable } from './as-readable.js';
import { normalizeFileId } from './file-id.js';
import { cleanFileName } from './file-name.js';
import { lockFiles } from './lock-files.js';
import { ManagedFile } from './managed-file.entity.js';
import { newFile } from './new-file.js';
import { assertOwnerReference } from './owner-reference.js';
import type { OwnerReference } from './owner-reference.js';
import { OwnershipPort } from './ownership-port.js';
import type { OwnershipChange, TransferOptions } from './ownership-port.js';
import type { FoundFiles, ScanOptions, SearchOptions } from './search/file-filter.js';
import { scanFiles } from './search/scan-files.js';
import { searchFiles } from './search/search-files.js';
import { upload } from './upload.js';

/** The name of the storage that is used when none is named. */
export const DEFAULT_STORAGE = Symbol('DEFAULT_STORAGE');

export interface CreateFileOptions {
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
  /** What the client says the content is: a hint for what the bytes cannot tell. */
  contentType?: string;
}

// The smallest of the databases' limits on parameters is 32766.
const IDS_PER_STATEMENT = 10_000;

/**
 * Files for the application's own code: nothing here asks who may. Within a unit of work, what is done to rows is part of it;
 * bytes of an undone creation are removed after it, bytes of a deleted file after the commit.
 */
@Injectable()
export class FilesService {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly ownership: OwnershipPort,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /**
   * Stores the content and makes its file: `await files.create(request, { name: 'report.pdf' })`. The content is consumed, and
   * destroyed when it fails. Throws `FileTooLargeError` and `FileTypeNotAcceptedError` by the storage's limits.
   */
  async create(content: Readable | Uint8Array, options: CreateFileOptions): Promise<ManagedFile> {
    const source = asReadable(content);
    try {
      const storage = this.storages.get(options.storage ?? this.defaultStorage);
      storage.require(Capability.CREATE);
      const name = cleanFileName(options.name);
      const contentType = readClaim(options.contentType);
      const owner = options.owner === undefined ? await this.actors.current() : options.owner;
      if (owner) assertOwnerReference(owner);
      // No transaction is open while bytes flow, unless the caller's own.
      const stored = await upload(source, storage, { name, contentType });
      return await this.#insert(storage, newFile({ ...stored, name, storage: storage.name }, owner));
    } finally {
      source.destroy();
    }
  }

  /** The file; throws `FileNotFoundError`. */
  async show(id: string): Promise<ManagedFile> {
    const file = await this.#files.findOneBy({ id: idOf(id) });
    if (!file) throw new FileNotFoundError(id);
    return file;
  }

  /** The files with these ids, in their order; what is not there is left out. One statement. */
  async findMany(ids: readonly string[]): Promise<ManagedFile[]> {
    const wanted = [...new Set(ids.map(normalizeFileId).filter((id) => id !== undefined))];
    const found = new Map<string, ManagedFile>();
    for (let at = 0; at < wanted.length; at += IDS_PER_STATEMENT) {
      const files = await this.#files.findBy({ id: In(wanted.slice(at, at + IDS_PER_STATEMENT)) });
      for (const file of files) found.set(file.id, file);
    }
    return wanted.map((id) => found.get(id)).filter((file) => file !== undefined);
  }

  /**
   * The files that match: `await files.search({ filters: { size: { $gt: 1024 } }, sort: ['createdAt', 'desc'], rows: 20 })`.
   * Throws `SearchQueryError` for what cannot be searched.
   */
  search(options: SearchOptions = {}): Promise<FoundFiles> {
    return searchFiles(this.transactor.dataSource, options);
  }

  /** One owner's files; the current actor's where no owner is named. */
  scan(options: ScanOptions = {}): Promise<FoundFiles> {
    return scanFiles(this.transactor.dataSource, this.actors, options);
  }

  /** The bytes of a file, or a range of them cut at the file's end. Who gets the stream has to consume or destroy it. */
  async stream(file: string | ManagedFile, range?: ByteRange): Promise<Readable> {
    const { storage, location, size } = typeof file === 'string' ? await this.show(file) : file;
    if (range === undefined) return this.storages.get(storage).read(location);
    if (range.start >= size) throw new RangeInvalidError(range.start, range.end, size);
    return this.storages.get(storage).read(location, range);
  }

  /** Deletes the row, and the bytes once that is committed. A pinned file needs `force`. */
  async delete(id: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    const fileId = idOf(id);
    await this.transactor.run(async (unit) => {
      const [file] = await lockFiles(unit.manager, [fileId]);
      if (!file) throw new FileNotFoundError(id);
      const storage = this.storages.get(file.storage);
      storage.require(Capability.REMOVE);
      if (file.pinned && !force) throw new FilePinnedError(fileId, 'deleting it');
      await this.ownership.onDelete(file, unit.manager);
      await unit.manager.delete(ManagedFile, { id: fileId });
      unit.afterCommit(() => storage.remove(file.location));
    });
  }

  /** Moves files to one owner. Pinned files need `force`; `pin` pins them there. */
  async transferOwnership(ids: string | readonly string[], to: TransferOptions): Promise<void> {
    assertOwnerReference({ type: to.ownerType, id: to.ownerId });
    await this.ownership.transfer((typeof ids === 'string' ? [ids] : ids).map(idOf), to);
  }

  /** Protects an owned file from transfer, deletion and replacement. */
  async pin(id: string): Promise<void> {
    await this.ownership.pin(idOf(id));
  }

  async unpin(id: string): Promise<void> {
    await this.ownership.unpin(idOf(id));
  }

  /** Every change of the file's owner, oldest first; it outlives the file. */
  async history(id: string): Promise<OwnershipChange[]> {
    return this.ownership.history(idOf(id));
  }

  get #files(): Repository<ManagedFile> {
    return this.transactor.dataSource.getRepository(ManagedFile);
  }

  /** Inserts the row of stored bytes; when it does not come to stay, the bytes are removed. */
  async #insert(storage: Storage, file: ManagedFile): Promise<ManagedFile> {
    const discard = () => storage.remove(file.location);
    let isUnitToDiscard = false;
    try {
      await this.transactor.run(async (unit) => {
        unit.afterRollback(discard);
        isUnitToDiscard = true;
        // A copy, which TypeORM may change; its type has no place for JSON of any shape.
        await unit.manager.insert(ManagedFile, { ...file } as object);
        await this.ownership.onCreate(file, unit.manager);
      });
      return file;
    } catch (error) {
      if (!isUnitToDiscard) await discard();
      if (databaseFault(error) === 'unique')
        throw new LocationTakenError(storage.name, file.location, { cause: error });
      throw error;
    }
  }
}

function idOf(id: unknown): string {
  const normalized = normalizeFileId(id);
  if (normalized === undefined) throw new FileNotFoundError(id);
  return normalized;
}

function readClaim(contentType: string | undefined): string | undefined {
  if (contentType === undefined) return undefined;
  const type = parseContentType(contentType);
  if (type === undefined) throw new ContentTypeError(contentType);
  return type;
}
