import { finished } from 'node:stream/promises';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { uploadTrace } from '../../diagnostics/traces.js';
import { FileRefusedError, FileTooLargeError, FileTypeNotAcceptedError } from '../../errors/files.errors.js';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { UploadIncompleteError, UploadMismatchedError, UploadNotFoundError } from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { isInTransaction } from '../../unit-of-work/scopes/here.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { lockShared } from '../../unit-of-work/typeorm/row-locks.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { examine } from '../content/examine.js';
import { Drafts } from '../drafts/drafts.js';
import { IntentJournal } from '../intents/intent-journal.js';
import { latestFiles } from '../lock-files.js';
import { ManagedFile } from '../managed-file.entity.js';
import { insertStoredFile, newFile } from '../new-file.js';
import type { StoredFile } from '../new-file.js';
import { unscannedBy } from '../scan/scan-state.js';
import { StoredHooks } from '../stored/stored-hooks.js';
import { OwnershipPort } from '../ownership-port.js';
import { parseChecksum } from './checksum.js';
import { DIRECT_UPLOAD_OPTIONS } from './direct-upload-options.js';
import type { CheckedDirectUploadOptions } from './direct-upload-options.js';
import { FileUpload } from './file-upload.entity.js';
import { UploadEndings } from './upload-endings.js';
import { begunOf, missingParts } from './upload-parts.js';
import { actorOf, announced, endRow, isForActor, isResumableRow, lengthOf, prolongRow } from './upload-rows.js';
import { ownerOf } from '../owner-reference.js';

// No content needs more for its type to be found.
const HEAD_SIZE = 64 * 1024;

type ContentFacts = Pick<StoredFile, 'contentType' | 'charset' | 'size' | 'hash' | 'hashAlgorithm'>;

export interface CompletedUpload {
  readonly file: ManagedFile;
  /** Whether this call made the file. */
  readonly isNew: boolean;
}

/** After one of these errors, the upload can no longer become a file. */
const FINAL = [
  FileRefusedError,
  FileTooLargeError,
  FileTypeNotAcceptedError,
  LocationTakenError,
  UploadMismatchedError,
];

/**
 * Creates files from completed uploads. While bytes are read, no transaction is open, unless the caller has opened one.
 */
@Injectable()
export class UploadCompletion {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly endings: UploadEndings,
    private readonly journal: IntentJournal,
    private readonly drafts: Drafts,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
    @Optional() private readonly hooks?: StoredHooks,
  ) {}

  /**
   * Creates and returns the file of the upload; later calls return the same file. If the content is refused, gives the
   * upload up and throws the reason. With the hash of all bytes, by the algorithm of the storage, only the first bytes
   * are read again.
   */
  async complete(row: FileUpload, hash?: string): Promise<ManagedFile> {
    const { file } = await this.completeOnce(row, hash);
    return file;
  }

  /** As `complete`, and tells whether this call made the file. */
  async completeOnce(row: FileUpload, hash?: string): Promise<CompletedUpload> {
    if (row.endedAt) return this.#earlier(row);
    let found: ContentFacts;
    try {
      found = await this.#receive(row, this.storages.of(row), hash);
    } catch (error) {
      // The upload was completed or given up meanwhile, which caused the failure. PostgreSQL answers no question in a
      // transaction that has failed: then the failure itself is told.
      if (await this.#hasEnded(row).catch(() => false)) return this.#earlier(row);
      throw await this.#ending(row, error);
    }
    try {
      const file = await this.#commit(row, found);
      return file ? { file, isNew: true } : await this.#earlier(row);
    } catch (error) {
      throw await this.#ending(row, error);
    }
  }

  /** The file that another call has made. */
  async #earlier(row: FileUpload): Promise<CompletedUpload> {
    return { file: await this.fileOf(row), isNew: false };
  }

  /** Whether the upload has become a file, and that is still there. */
  hasFile({ id }: FileUpload): Promise<boolean> {
    return this.transactor.dataSource.getRepository(ManagedFile).existsBy({ id });
  }

  /** Returns the file of a completed upload. Throws `UploadNotFoundError` if there is no such file. */
  async fileOf({ id }: FileUpload): Promise<ManagedFile> {
    const { dataSource } = this.transactor;
    // Another call may have made it since the snapshot of the caller's transaction.
    const [file] = isInTransaction(dataSource)
      ? await this.transactor.run(({ manager }) => latestFiles(manager, [id]))
      : await dataSource.getRepository(ManagedFile).findBy({ id });
    if (!file) throw new UploadNotFoundError(id);
    return file;
  }

  async #receive(row: FileUpload, storage: Storage, hash: string | undefined): Promise<ContentFacts> {
    await this.#gather(row, storage);
    await this.#assertSize(row, storage);
    // All bytes have arrived, but reading them may take longer than the time until the upload expires.
    const later = new Date(this.now() + this.options.expireAfter);
    if (hash === undefined) await prolongRow(this.transactor.dataSource.manager, row, later);
    return uploadTrace.run(
      () => ({ operation: 'create', storage: storage.name, fileId: row.id }),
      async (trace) => {
        const found = await (hash === undefined ? this.#examine(row, storage) : this.#sniff(row, storage, hash));
        if (trace) Object.assign(trace, { bytes: found.size, contentType: found.contentType });
        return found;
      },
    );
  }

  /** Combines the uploaded parts into one object, which can no longer be changed. */
  async #gather(row: FileUpload, storage: Storage): Promise<void> {
    const { id, location, handle } = row;
    if (isResumableRow(row)) return storage.resumable(location, (uploads) => uploads.finish(location, handle ?? ''));
    if (await storage.exists(location)) return;
    const upload = begunOf(row);
    const parts = await storage.direct(location, (uploads) => uploads.parts(location, upload));
    const missing = missingParts(row, parts);
    if (missing.length === 0) return storage.direct(location, (uploads) => uploads.finish(location, upload, parts));
    // If the object exists now, another call has completed the upload meanwhile.
    if (!(await storage.exists(location))) throw new UploadIncompleteError(id, missing);
  }

  async #assertSize(row: FileUpload, storage: Storage): Promise<void> {
    const { id, location } = row;
    const size = lengthOf(row);
    const there = await storage.stat(location);
    if (there && there.size !== size) throw new UploadMismatchedError(id, `${size} bytes`, `${there.size} bytes`);
  }

  async #examine(row: FileUpload, storage: Storage): Promise<ContentFacts> {
    const { id, name, contentType: declared, location } = row;
    const size = lengthOf(row);
    const checksum = row.checksum === null ? undefined : parseChecksum(row.checksum);
    const said = {
      name,
      ...(declared !== null && { declared }),
      ...(checksum && { algorithms: [checksum.algorithm] }),
    };
    const source = await storage.read(location);
    try {
      const { body, contentType, charset, digest } = await examine(source, storage, said);
      body.resume();
      await finished(body);
      const found = digest();
      if (found.size !== size) throw new UploadMismatchedError(id, `${size} bytes`, `${found.size} bytes`);
      const hash = checksum && digest(checksum.algorithm).hash;
      if (checksum && hash !== checksum.hash)
        throw new UploadMismatchedError(id, `the checksum ${row.checksum}`, `${checksum.algorithm}:${hash}`);
      return { contentType, charset, ...found };
    } finally {
      source.destroy();
    }
  }

  /** As `#examine`, of bytes that were counted and hashed on their way here. */
  async #sniff(row: FileUpload, storage: Storage, hash: string): Promise<ContentFacts> {
    const { name, contentType: declared, location } = row;
    const size = lengthOf(row) ?? 0;
    const { maxSize, hashAlgorithm } = storage;
    if (maxSize !== undefined && size > maxSize) throw new FileTooLargeError(storage.name, maxSize);
    const source = await storage.read(location, { start: 0, end: HEAD_SIZE - 1 });
    try {
      const { contentType, charset } = await examine(source, storage, { name, ...(declared !== null && { declared }) });
      return { contentType, charset, size, hash, hashAlgorithm };
    } finally {
      source.destroy();
    }
  }

  /**
   * Saves the row of the file and the end of the upload in one commit. Returns `undefined` if another call has ended
   * the upload.
   */
  async #commit(row: FileUpload, found: ContentFacts): Promise<ManagedFile | undefined> {
    const { id, name, storage, location } = row;
    return this.transactor.run(async (unit) => {
      const { manager } = unit;
      if (!(await endRow(manager, id, { now: new Date(this.now()) }))) return undefined;
      const parts = row.kind === 'final' ? await this.endings.useUp(unit, row) : [];
      const stored = {
        ...found,
        ...unscannedBy(this.storages.scannerFor(storage, row.ownerType)),
        name,
        storage,
        location,
      };
      const file = Object.assign(newFile(stored, ownerOf(row), id), this.#draftOf(row));
      await insertStoredFile(manager, file);
      // A `location` function may return the same location twice. Then another file may be written or removed there
      // right now, and its bytes were read.
      await this.journal.assertNonePending(manager, [{ storage: this.storages.of(row), location }]);
      const ended = [row, ...parts].map((one) => ({ owner: ownerOf(one), ...announced(one) }));
      await this.ownership.onCreate(file, manager, actorOf(row), ended);
      await this.hooks?.run(file, 'direct');
      return file;
    });
  }

  /** An upload for somebody else than who began it is attached already. */
  #draftOf(row: FileUpload): Pick<ManagedFile, 'expiresAt'> {
    return { expiresAt: isForActor(row) ? this.drafts.expiryOfNew(ownerOf(row)) : null };
  }

  /** Gives the upload up if it can no longer become a file after this error. Returns the error. */
  async #ending(row: FileUpload, error: unknown): Promise<unknown> {
    if (FINAL.some((type) => error instanceof type)) await this.endings.giveUp(row);
    return error;
  }

  async #hasEnded({ id }: FileUpload): Promise<boolean> {
    const { dataSource } = this.transactor;
    const open = { id, endedAt: IsNull() };
    if (!isInTransaction(dataSource)) return !(await dataSource.getRepository(FileUpload).existsBy(open));
    // The snapshot of the caller's transaction may hide it; a lock does not.
    return this.transactor.run(async ({ manager }) => {
      const query = manager.createQueryBuilder(FileUpload, 'upload').select('upload.id', 'id').where(open);
      return (await lockShared(manager, query)).length === 0;
    });
  }
}
