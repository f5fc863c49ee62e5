import { Inject, Injectable, Optional } from '@nestjs/common';
import { UploadNotFoundError, UploadPartInvalidError } from '../../errors/uploads.errors.js';
import { ActorSource } from '../../actor/actor.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { Quiet } from '../../unit-of-work/typeorm/quiet.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { DEFAULT_STORAGE } from '../file-writer.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { announceUpload } from './announce-upload.js';
import { DIRECT_UPLOAD_OPTIONS } from './direct-upload-options.js';
import type { CheckedDirectUploadOptions } from './direct-upload-options.js';
import type { BeginUploadOptions, BegunUpload, ByActor, SignedPart, UploadState } from './direct-upload-types.js';
import { FileUpload } from './file-upload.entity.js';
import { UploadBeginnings } from './upload-beginnings.js';
import { UploadCompletion } from './upload-completion.js';
import { UploadEndings } from './upload-endings.js';
import { begunOf, partCount, partNumbers, sizeOfPart, wholeParts } from './upload-parts.js';
import { findRow, isForActor } from './upload-rows.js';

/**
 * Uploads that clients send directly to the storage. This service is for the application's own code: it does not check
 * who may begin an upload. With `{ actor }`, an upload of another actor is treated as missing.
 */
@Injectable()
@Quiet('begin', 'find', 'signParts', 'complete', 'completeOnce', 'abort')
export class DirectUploads {
  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly beginnings: UploadBeginnings,
    private readonly completion: UploadCompletion,
    private readonly endings: UploadEndings,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * Begins an upload: `await uploads.begin({ name: 'film.mp4', size: 5_000_000_000 })`. Its size counts against the
   * owner's quota from now on. Throws `CapabilityMissingError` if the storage supports no direct uploads,
   * `FileTooLargeError`, `QuotaExceededError`, and `LocationTakenError` if a `location` function returns a location
   * that is taken.
   */
  async begin(options: BeginUploadOptions): Promise<BegunUpload> {
    const storage = this.storages.get(options.storage ?? this.defaultStorage);
    storage.require('directUploads', 'stat', 'read', 'remove');
    const actor = options.actor === undefined ? await this.actors.current() : options.actor;
    const row = announceUpload(options, { storage, actor, now: this.now(), expireAfter: this.options.expireAfter });
    await this.beginnings.enter(row, storage);
    try {
      const { location, size, id } = row;
      const begun = await storage.direct(location, (uploads) => uploads.begin(location, size));
      Object.assign(row, begun);
      await this.#rows.update({ id }, { ...begun });
      const { expiresAt, partSize } = row;
      const parts = partCount(row);
      if (parts > 1) return { id, expiresAt, partSize: partSize as number, parts };
      const [whole] = await this.#sign(row, [1]);
      const { method, url, headers } = whole as SignedPart;
      return { id, expiresAt, method, url, headers };
    } catch (error) {
      await this.endings.giveUp(row);
      throw error;
    }
  }

  /** The state of the upload, from which a client can go on; throws `UploadNotFoundError`. */
  async find(id: string, by?: ByActor): Promise<UploadState> {
    const row = await this.#find(id, by);
    const { name, storage, size, contentType, expiresAt } = row;
    const { partSize } = begunOf(row);
    const known = { id: row.id, name, storage, size, contentType, expiresAt, partSize, parts: partCount(row) };
    if (!row.endedAt) return { ...known, state: 'open', uploaded: await this.#uploaded(row) };
    await this.completion.fileOf(row);
    return { ...known, state: 'completed', uploaded: partNumbers(row) };
  }

  /** The requests by which a client sends these parts; the first part is 1. Ask for them late, because they expire. */
  async signParts(id: string, numbers: readonly number[], by?: ByActor): Promise<SignedPart[]> {
    const row = await this.#findOpen(id, by);
    // Storages count the seconds for which a request is valid.
    if (row.expiresAt.getTime() - this.now() < 1_000) throw new UploadNotFoundError(id);
    const count = partCount(row);
    const wrong = numbers.find((number) => !Number.isSafeInteger(number) || number < 1 || number > count);
    if (wrong !== undefined) throw new UploadPartInvalidError(wrong, count);
    return this.#sign(row, [...new Set(numbers)]);
  }

  /**
   * Makes a file of the uploaded bytes; called again, it returns the same one. If parts are missing, throws
   * `UploadIncompleteError`, and the upload stays open. Content that is not as announced, or of a type that the storage
   * does not accept, is removed, and the upload is over.
   */
  async complete(id: string, by?: ByActor): Promise<ManagedFile> {
    const { file } = await this.completeOnce(id, by);
    return file;
  }

  /**
   * As `complete`, and tells whether the file is theirs who began the upload: this call made it, or they are its owner.
   * If another call made it, it may be another's, and have changed since.
   * @internal
   */
  completeOnce(id: string, by?: ByActor): Promise<{ file: ManagedFile; isTheirs: boolean }> {
    return this.transactor.staying(async () => {
      const row = await this.#find(id, by);
      const { file, isNew } = await this.completion.completeOnce(row);
      const isKept = file.ownerType === row.ownerType && file.ownerId === row.ownerId;
      return { file, isTheirs: isNew || (isKept && isForActor(row)) };
    });
  }

  /** Gives an open upload up, and removes its bytes; throws `UploadNotFoundError`. */
  async abort(id: string, by?: ByActor): Promise<void> {
    const row = await this.#findOpen(id, by);
    if (!(await this.endings.giveUp(row))) throw new UploadNotFoundError(id);
  }

  async #uploaded(row: FileUpload): Promise<number[]> {
    const { location } = row;
    const storage = this.storages.of(row);
    const parts = await storage.direct(location, (uploads) => uploads.parts(location, begunOf(row)));
    // An interrupted completion has made one object of all parts.
    if (parts.length === 0 && (await storage.exists(location))) return partNumbers(row);
    return wholeParts(row, parts);
  }

  /** All in one call, because each call of the storage looks for its mark first. */
  #sign(row: FileUpload, numbers: readonly number[]): Promise<SignedPart[]> {
    const { location } = row;
    const expiresAt = new Date(Math.min(this.now() + this.options.urlsExpireAfter, row.expiresAt.getTime()));
    return this.storages.of(row).direct(location, (uploads) => {
      const signed = numbers.map(async (number) => {
        const size = sizeOfPart(row, number);
        return { number, size, ...(await uploads.sign(location, begunOf(row), { number, size, expiresAt })) };
      });
      return Promise.all(signed);
    });
  }

  async #findOpen(id: string, by: ByActor | undefined): Promise<FileUpload> {
    const row = await this.#find(id, by);
    if (row.endedAt) throw new UploadNotFoundError(id);
    return row;
  }

  #find(id: string, by: ByActor | undefined): Promise<FileUpload> {
    return findRow(this.transactor.dataSource.manager, id, { by, now: this.now(), isResumable: false });
  }

  get #rows() {
    return this.transactor.dataSource.getRepository(FileUpload);
  }
}
