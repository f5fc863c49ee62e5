import type { Readable } from 'node:stream';
import { Injectable, Optional } from '@nestjs/common';
import { In } from 'typeorm';
import type { Repository } from 'typeorm';
import { FileChangedError, FileCorruptError, FileNotFoundError, FilePinnedError } from '../errors/files.errors.js';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import { downloadTrace } from '../diagnostics/traces.js';
import { RangeInvalidError } from '../errors/requests.errors.js';
import { exactLength } from '../storage/exact-length.js';
import type { ByteRange } from '../storage/storage-adapter.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Quiet } from '../unit-of-work/typeorm/quiet.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ActorSource } from '../actor/actor.js';
import { ContentStore } from './content/content-store.js';
import { findFile, readFiles } from './read-files.js';
import { fileIdOrFail, normalizeFileId } from './file-id.js';
import { cleanFileName } from './file-name.js';
import type {
  CopyAllOptions,
  CopyFileOptions,
  CreateFileOptions,
  ExistingFile,
  FileChanges,
  ForceOption,
  NewFile,
  RegisterAllOptions,
  RegisterFileOptions,
  ReplaceOptions,
  StreamOptions,
} from './file-options.js';
import { FilesAddresses } from './files-addresses.js';
import { FileRegistration } from './file-registration.js';
import { FileWriter } from './file-writer.js';
import { lockFile, lockFiles } from './lock-files.js';
import { deleteFileRows } from './delete-file-rows.js';
import { ManagedFile } from './managed-file.entity.js';
import { DerivedFiles } from './derived/derived-files.js';
import { assertNotDerived } from './derived/derived-rows.js';
import { openContent } from './content/open-content.js';
import type { FileContent } from './content/open-content.js';
import { assertOwnerReference } from './owner-reference.js';
import { assertMetadata } from './metadata-value.js';
import type { OwnerReference } from './owner-reference.js';
import { OwnerCopies } from './owner-copies.js';
import { assertReadable, isReadable } from './scan/scan-state.js';
import { OwnershipPort } from './ownership-port.js';
import type { OwnershipChange, TransferOptions } from './ownership-port.js';
import type { FoundFiles, ScanOptions, SearchOptions } from './search/file-filter.js';
import { scanFiles, searchFiles } from './search/search-files.js';
import { tracedDownload } from './content/traced-download.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';

// The smallest of the databases' limits on parameters is 32766.
const IDS_PER_STATEMENT = 10_000;

/**
 * Files for the application's own code, without access checks. Within a unit of work, changes of rows are part of it;
 * bytes of an undone creation are removed after it, bytes of a deleted file after the commit.
 */
@Injectable()
@Quiet(
  'create',
  'createAll',
  'register',
  'registerAll',
  'findOrFail',
  'findMany',
  'search',
  'scan',
  'stream',
  'rename',
  'update',
  'replace',
  'copy',
  'copyAll',
  'addressesOf',
  'move',
  'delete',
  'deleteAll',
  'transferOwnership',
  'pin',
  'unpin',
  'history',
)
export class FilesService {
  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly ownership: OwnershipPort,
    private readonly contents: ContentStore,
    private readonly writer: FileWriter,
    private readonly registration: FileRegistration,
    private readonly copies: OwnerCopies,
    private readonly addresses: FilesAddresses,
    @Optional() private readonly derived?: DerivedFiles,
  ) {}

  /**
   * Stores the content and makes its file: `await files.create(request, { name: 'report.pdf' })`. The content is
   * consumed, and destroyed when it fails. Throws `FileTooLargeError` and `FileTypeNotAcceptedError` by the storage's
   * limits, and `ContentSpentError` for a stream that was read before.
   */
  async create(content: FileContent, options: CreateFileOptions): Promise<ManagedFile> {
    return this.transactor.staying(async () => {
      const source = await openContent(content, `the file "${options.name}"`);
      try {
        return await this.writer.create(source, options);
      } finally {
        source.destroy();
      }
    });
  }

  /**
   * As `create`, for several: all of them are made, in one commit, or none. The next one is requested when one is
   * stored.
   */
  async createAll(files: AsyncIterable<NewFile>): Promise<ManagedFile[]> {
    return this.transactor.staying(() => this.writer.createAll(files));
  }

  /**
   * Makes a file of existing bytes in a storage: `await files.register('2026/report.pdf', { storage: 'archive' })`.
   * They are read once, for their size, hash and type. Throws `LocationRegisteredError`, `LocationNotFoundError`, and
   * `LocationRefusedError` for a place that the storage does not read from.
   */
  async register(location: string, options: RegisterFileOptions = {}): Promise<ManagedFile> {
    const [file] = await this.registerAll([{ ...options, location }]);
    return file as ManagedFile;
  }

  /**
   * As `register`, for several: all of them are made, in one commit, or none. A thousand files need as many statements
   * as one: `await files.registerAll(locations.map((location) => ({ location, storage: 'archive' })))`. For many
   * thousands call it again and again, with a thousand each time: memory stays as it is, and what was committed stays.
   */
  async registerAll(
    files: readonly ExistingFile[],
    { concurrency = 4 }: RegisterAllOptions = {},
  ): Promise<ManagedFile[]> {
    assertConcurrency(concurrency);
    return this.transactor.staying(() => this.registration.registerAll(files, concurrency));
  }

  /** The file; throws `FileNotFoundError`. */
  async findOrFail(id: string): Promise<ManagedFile> {
    const file = await findFile(this.transactor.dataSource, fileIdOrFail(id));
    if (!file) throw new FileNotFoundError(id);
    return file;
  }

  /** The files with these ids, in the order of the ids. Missing files are left out. One statement. */
  async findMany(ids: readonly string[]): Promise<ManagedFile[]> {
    const wanted = [...new Set(ids.map(normalizeFileId).filter((id) => id !== undefined))];
    const found = new Map<string, ManagedFile>();
    for (const chunk of inChunks(wanted, IDS_PER_STATEMENT)) {
      const query = this.#files.createQueryBuilder('file').where({ id: In(chunk) });
      const files = await readFiles(this.transactor.dataSource, query);
      for (const file of files) found.set(file.id, file);
    }
    return wanted.map((id) => found.get(id)).filter((file) => file !== undefined);
  }

  /**
   * The files that match:
   * `await files.search({ filters: { size: { $gt: 1024 } }, sort: ['createdAt', 'desc'], limit: 20 })`. Throws
   * `SearchQueryInvalidError` for an invalid search.
   */
  search(options: SearchOptions = {}): Promise<FoundFiles> {
    return searchFiles(this.transactor.dataSource, options);
  }

  /** One owner's files; the current actor's where no owner is named. */
  scan(options: ScanOptions = {}): Promise<FoundFiles> {
    return scanFiles(this.transactor.dataSource, this.actors, options);
  }

  /**
   * The bytes of a file, or a range of them cut at the file's end. The caller has to consume or destroy the stream. It
   * has as many bytes as the file: it fails with `FileCorruptError` where the storage has fewer, and drops surplus
   * bytes. Throws `FileChangedError` if the given row is outdated, because the file was replaced or moved. Throws
   * `FilePendingError`, `FileInfectedError` or `FileUnscannedError` for content that its scanner has not found clean,
   * unless `quarantined` asks for it.
   */
  async stream(file: string | ManagedFile, range?: ByteRange, options: StreamOptions = {}): Promise<Readable> {
    if (typeof file === 'string') return this.#read(file, (current) => this.#open(current, range, options));
    try {
      return await this.#open(file, range, options);
    } catch (error) {
      await this.#changedSince(file, error);
      throw new FileChangedError([file.id], { cause: error });
    }
  }

  async #open(file: ManagedFile, range: ByteRange | undefined, { quarantined = false }: StreamOptions) {
    const { id, storage, location, size } = file;
    if (!quarantined) assertReadable(file);
    if (range && range.start >= size) throw new RangeInvalidError(range.start, range.end, size);
    const bytes = range ? Math.min(range.end + 1, size) - range.start : size;
    const read = async (): Promise<Readable> => {
      const content = await this.storages.of({ storage }).read(location, range);
      return exactLength(content, bytes, () => new FileCorruptError(id, storage));
    };
    return downloadTrace.hasSubscribers ? tracedDownload({ fileId: id, storage, bytes }, read) : read();
  }

  /** Changes the name and nothing else, also of a pinned file. */
  async rename(id: string, name: string): Promise<ManagedFile> {
    return this.update(id, { name });
  }

  /**
   * Changes the name, the application's `metadata`, or both, also of a pinned file. Throws `FileNameInvalidError` and
   * `FileMetadataInvalidError`.
   * @example await files.update(id, { metadata: (current) => ({ ...current, alt: 'A hare' }) })
   */
  async update(id: string, { name, metadata }: FileChanges): Promise<ManagedFile> {
    const fileId = fileIdOrFail(id);
    const renamed = name !== undefined && { name: cleanFileName(name) };
    if (typeof metadata !== 'function' && metadata !== undefined) assertMetadata(metadata);
    return this.transactor.run(async ({ manager }) => {
      const file = await lockFile(manager, fileId);
      const noted: unknown = typeof metadata === 'function' ? metadata(file.metadata) : metadata;
      if (noted !== undefined) assertMetadata(noted);
      const changes = { ...renamed, ...(noted !== undefined && { metadata: noted }) };
      // TypeORM's type of changes has no place for JSON of any shape.
      if (Object.keys(changes).length > 0) await manager.update(ManagedFile, { id: fileId }, changes as object);
      return Object.assign(file, changes);
    });
  }

  /**
   * Gives the file new content of the same type, at a new location; the old bytes are removed after the commit. The
   * content is consumed, and destroyed when it fails. A pinned file needs `force`. Throws `FileTypeChangedError`, and
   * `FileDerivedError` for a derived file.
   */
  async replace(id: string, content: FileContent, options: ReplaceOptions = {}): Promise<ManagedFile> {
    return this.transactor.staying(async () => {
      const source = await openContent(content, `file ${id}`);
      try {
        const file = await this.findOrFail(id);
        assertNotDerived(file, 'replacing its content');
        if (file.pinned && !options.force) throw new FilePinnedError(file.id, 'replacing its content');
        return await this.writer.replace(file, source, options);
      } finally {
        source.destroy();
      }
    });
  }

  /**
   * Creates an independent file with the same content and `metadata`:
   * `await files.copy(id, { storage: 'archive', owner: null })`.
   */
  async copy(id: string, options: CopyFileOptions = {}): Promise<ManagedFile> {
    return this.transactor.staying(() => this.#read(id, (file) => this.writer.copy(file, options)));
  }

  /**
   * Copies all files of an owner for another one, and tells the id of each copy by the id of its original:
   * `const ids = await files.copyAll({ type: 'package', id: '7' }, { type: 'package', id: '8' })`. All of them are
   * copied, in one commit, or none. Each stays in its storage, with its name, its `metadata`, and its pin. The number
   * of statements does not depend on their number.
   */
  async copyAll(
    from: OwnerReference,
    to: OwnerReference,
    { concurrency = 4 }: CopyAllOptions = {},
  ): Promise<Map<string, string>> {
    for (const owner of [from, to]) assertOwnerReference(owner);
    assertConcurrency(concurrency);
    return this.transactor.staying(() => this.copies.copy(from, to, concurrency));
  }

  /**
   * The address of each file's bytes by its id, for a list of records: that of its storage where everybody may read it,
   * otherwise the path of the library's route, which checks access. Missing files are left out, and those whose content
   * nobody gets, because it is not scanned yet or not clean. One statement, and none for files that are given as rows.
   * `FilesAccess.addressesOf()` leaves out what an actor may not download. Throws `CapabilityMissingError` without the
   * routes.
   */
  async addressesOf(files: readonly (string | ManagedFile)[]): Promise<Map<string, string>> {
    const missing = files.filter((file) => typeof file === 'string');
    const rows = missing.length === 0 ? [] : await this.findMany(missing);
    const addresses = new Map<string, string>();
    for (const file of [...rows, ...files.filter((one) => typeof one !== 'string')]) {
      if (!isReadable(file)) continue;
      const storage = this.storages.of(file);
      const address = storage.can('publicUrl') ? undefined : this.addresses.contentOf(file.id);
      addresses.set(file.id, address ?? (await storage.publicUrl(file.location)));
    }
    return addresses;
  }

  /**
   * Moves the file's bytes to another storage; id, owner and pin stay. They are verified by their hash before the old
   * ones are removed. A no-op if the file is in the storage already. Throws `FileChangedError` if the file was moved or
   * replaced meanwhile.
   */
  async move(id: string, storage: string): Promise<ManagedFile> {
    return this.transactor.staying(() => this.#read(id, (file) => this.writer.move(file, storage)));
  }

  /** Deletes the row, and the bytes once that is committed. A pinned file needs `force`. */
  async delete(id: string, { force = false }: ForceOption = {}): Promise<void> {
    const fileId = fileIdOrFail(id);
    await this.transactor.run(async (unit) => {
      const file = await lockFile(unit.manager, fileId);
      const storage = this.storages.of(file);
      storage.require('remove');
      if (file.pinned && !force) throw new FilePinnedError(fileId, 'deleting it');
      await this.derived?.removeOf(unit, fileId);
      await this.ownership.onDelete(file, unit.manager);
      await deleteFileRows(unit.manager, [fileId]);
      await this.contents.remove(unit, [file]);
    });
  }

  /**
   * As `delete`, for several: all of them are deleted, in one commit, or none. The number of statements does not depend
   * on the number of files. Throws `FileNotFoundError` if one is missing, `FilePinnedError` if one is pinned, unless
   * `force` is given.
   */
  async deleteAll(ids: readonly string[], { force = false }: ForceOption = {}): Promise<void> {
    const wanted = [...new Set(ids.map(fileIdOrFail))].toSorted();
    if (wanted.length === 0) return;
    await this.transactor.run(async (unit) => {
      const files: ManagedFile[] = [];
      for (const chunk of inChunks(wanted, IDS_PER_STATEMENT)) files.push(...(await lockFiles(unit.manager, chunk)));
      const found = new Set(files.map(({ id }) => id));
      for (const id of wanted) if (!found.has(id)) throw new FileNotFoundError(id);
      for (const { id, pinned } of files) if (pinned && !force) throw new FilePinnedError(id, 'deleting it');
      const derived = (await this.derived?.lockOf(unit.manager, wanted)) ?? [];
      await this.derived?.remove(
        unit,
        derived.filter(({ id }) => !found.has(id)),
      );
      await this.contents.remove(unit, files);
      await deleteFileRows(unit.manager, wanted);
      await this.ownership.onDeleteAll(files, unit.manager);
    });
  }

  /**
   * Moves files to one owner. Pinned files need `force`; `pin` pins them there. Throws `FileDerivedError` for derived
   * files.
   */
  async transferOwnership(ids: string | readonly string[], to: TransferOptions): Promise<void> {
    assertOwnerReference({ type: to.ownerType, id: to.ownerId });
    const wanted = listOf(ids);
    if (this.derived?.areAny) for (const file of await this.findMany(wanted)) assertNotDerived(file, 'a transfer');
    await this.ownership.transfer(wanted, to);
  }

  /**
   * Protects owned files from transfer, deletion and replacement: all of them, or none. Throws `FileDerivedError` for
   * derived files.
   */
  async pin(ids: string | readonly string[]): Promise<void> {
    await this.ownership.pin(listOf(ids));
  }

  /** Lifts the pins. A file that is not pinned, or has no owner, is left as it is. */
  async unpin(ids: string | readonly string[]): Promise<void> {
    await this.ownership.unpin(listOf(ids));
  }

  /** Every change of the file's owner, oldest first; it outlives the file. */
  async history(id: string): Promise<OwnershipChange[]> {
    return this.ownership.history(fileIdOrFail(id));
  }

  /** Reads the bytes of the file, or its new content if it was replaced or moved since its row was read. */
  async #read<T>(id: string, read: (file: ManagedFile) => Promise<T>): Promise<T> {
    const file = await this.findOrFail(id);
    try {
      return await read(file);
    } catch (error) {
      return read(await this.#changedSince(file, error));
    }
  }

  /** The current row, if it has changed and the bytes were not found for that reason; throws the error otherwise. */
  async #changedSince({ id, storage, location }: ManagedFile, error: unknown): Promise<ManagedFile> {
    if (!(error instanceof LocationNotFoundError)) throw error;
    const current = await this.findOrFail(id);
    if (current.storage === storage && current.location === location) throw error;
    return current;
  }

  get #files(): Repository<ManagedFile> {
    return this.transactor.dataSource.getRepository(ManagedFile);
  }
}

function assertConcurrency(concurrency: number): void {
  if (Number.isSafeInteger(concurrency) && concurrency >= 1) return;
  throw new RangeError(`concurrency is ${String(concurrency)}, and must be a whole number above zero.`);
}

function listOf(ids: string | readonly string[]): string[] {
  return (typeof ids === 'string' ? [ids] : ids).map(fileIdOrFail);
}
