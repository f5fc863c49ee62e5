import { createHash } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { FileTooLargeError, FileTypeNotAcceptedError } from '../../errors/files.errors.js';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import { UploadFinalError, UploadIncompleteError, UploadNotFoundError } from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { announceUpload } from '../uploads/announce-upload.js';
import { DIRECT_UPLOAD_OPTIONS } from '../uploads/direct-upload-options.js';
import type { CheckedDirectUploadOptions } from '../uploads/direct-upload-options.js';
import type { ByActor } from '../uploads/direct-upload-types.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadBeginnings } from '../uploads/upload-beginnings.js';
import { UploadCompletion } from '../uploads/upload-completion.js';
import { UploadEndings } from '../uploads/upload-endings.js';
import { findRow, partsOf } from '../uploads/upload-rows.js';
import type { Appended, BeginResumable, ConcatenateUploads, ResumableState } from './resumable-types.js';
import { hashed, RunningHashes } from './running-hashes.js';
import { UploadAppends } from './upload-appends.js';
import { UploadLeases } from './upload-leases.js';

/**
 * Uploads that come through the application in several requests, each of which goes on where the one before has stopped. The storage alone knows
 * how far an upload is. When all bytes are there, it becomes a file. Nothing here checks who may begin one.
 */
@Injectable()
export class ResumableUploads {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly beginnings: UploadBeginnings,
    private readonly appends: UploadAppends,
    private readonly leases: UploadLeases,
    private readonly completion: UploadCompletion,
    private readonly endings: UploadEndings,
    private readonly hashes: RunningHashes,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Begins an upload. One without bytes is complete at once. */
  async begin({ length, isPartial, ...options }: BeginResumable): Promise<ResumableState> {
    const row = await this.#enter({ ...options, size: length ?? 0 }, (entered) =>
      Object.assign(entered, { kind: isPartial ? 'partial' : 'single', length: length ?? null }),
    );
    return this.#stateOf(row, length === 0 ? await this.#arrived(row) : undefined, 0);
  }

  /** Makes an upload, and a file, of partial ones, which end with it. */
  async concatenate({ parts: ids, ...options }: ConcatenateUploads): Promise<ResumableState> {
    const by = { actor: options.actor };
    const parts: FileUpload[] = [];
    for (const id of ids) parts.push(await this.#completePart(id, by, options.storage));
    const length = parts.reduce((sum, part) => sum + (part.length ?? 0), 0);
    this.#assertFits(length, options.storage);
    // The parts count for the owner until the file does.
    const row = await this.#enter({ ...options, size: 0 }, (entered) =>
      Object.assign(entered, { kind: 'final', length, parts: ids.map((id) => id.toLowerCase()).join(' ') }),
    );
    const storage = this.storages.of(row);
    try {
      const running = { offset: 0, hash: createHash(storage.hashAlgorithm) };
      const content = hashed(contentOf(parts, storage), running);
      await storage.resumable(row.location, (place) => place.append(row.location, row.handle ?? '', 0, content));
      return this.#stateOf(row, await this.completion.complete(row, running.hash.digest('hex')), length);
    } catch (error) {
      await this.endings.giveUp(row);
      throw error;
    }
  }

  /** How far the upload is; throws `UploadNotFoundError`. One whose last bytes came just before a crash becomes a file now. */
  async find(id: string, by: ByActor): Promise<ResumableState> {
    const row = await this.#find(id, by);
    if (row.endedAt) return this.#stateOf(row, await this.completion.fileOf(row), row.length ?? row.size);
    const offset = await this.appends.offsetOf(row);
    const isWhole = offset === row.length && row.kind !== 'final';
    return this.#stateOf(row, isWhole ? await this.#arrived(row) : undefined, offset);
  }

  /** Appends bytes. With the last one, the upload becomes a file. */
  async append(id: string, appended: Appended): Promise<ResumableState> {
    const row = await this.#find(id, appended);
    if (row.kind === 'final') throw new UploadFinalError(id);
    await appended.allow?.(row.storage);
    if (row.endedAt) {
      const file = await this.completion.fileOf(row);
      this.appends.assertOffset(row, appended, row.length ?? row.size);
      return this.#stateOf(row, file, appended.offset);
    }
    return this.leases.hold(row, async (lease) => {
      // As it is under the lease: a request before may have told the length.
      const current = await this.#find(id, appended);
      try {
        const offset = await this.appends.append(current, appended, lease);
        const file = offset === current.length ? await this.#arrived(current) : undefined;
        const failure = offset === current.length ? undefined : appended.failure();
        if (failure) throw failure;
        return this.#stateOf(current, file, offset);
      } catch (error) {
        // It can never become a file.
        if (error instanceof FileTypeNotAcceptedError) await this.endings.giveUp(current);
        throw error;
      }
    });
  }

  /** Gives an open upload up, and removes its bytes; throws `UploadNotFoundError`. */
  async abort(id: string, by: ByActor): Promise<void> {
    const row = await this.#find(id, by);
    if (row.endedAt) throw new UploadNotFoundError(id);
    await this.leases.interrupt(row.id);
    if (!(await this.endings.giveUp(row))) throw new UploadNotFoundError(id);
  }

  async #enter(
    options: Omit<BeginResumable, 'length' | 'isPartial'> & { size: number },
    as: (row: FileUpload) => FileUpload,
  ): Promise<FileUpload> {
    const storage = this.storages.get(options.storage);
    storage.require('resumableUploads', 'stat', 'read', 'remove');
    const { actor, metadata = null } = options;
    const { expireAfter } = this.options;
    const row = as(announceUpload(options, { storage, actor, now: this.now(), expireAfter }));
    row.metadata = metadata;
    await this.beginnings.enter(row, storage);
    try {
      row.handle = await storage.resumable(row.location, (place) => place.begin(row.location, row.length ?? undefined));
      await this.#rows.update({ id: row.id }, { handle: row.handle });
      return row;
    } catch (error) {
      await this.endings.giveUp(row);
      throw error;
    }
  }

  /** All bytes are there. Returns the file, unless the upload is only a part. */
  async #arrived(row: FileUpload): Promise<ManagedFile | undefined> {
    if (row.kind !== 'partial') return this.completion.complete(row, this.#hashOf(row));
    const { location, handle } = row;
    await this.storages.of(row).resumable(location, (place) => place.finish(location, handle ?? ''));
    return undefined;
  }

  /** The hash of the complete upload, if this process knows it. */
  #hashOf(row: FileUpload): string | undefined {
    const { hashAlgorithm } = this.storages.of(row);
    const length = row.length ?? 0;
    // It was begun anew for no bytes at all.
    return length === 0 ? undefined : this.hashes.take(row.id, length, hashAlgorithm)?.hash.digest('hex');
  }

  async #completePart(id: string, by: ByActor, storage: string): Promise<FileUpload> {
    const row = await this.#find(id, by);
    if (row.endedAt) throw new UploadNotFoundError(id);
    const refuse = (why: string) => new RequestInvalidError('header Upload-Concat', [`upload ${id} ${why}`]);
    if (row.kind !== 'partial') throw refuse('is not partial');
    if (row.storage !== storage) throw refuse(`is in another storage than the final upload, in "${row.storage}"`);
    if ((await this.appends.offsetOf(row)) !== row.length) throw new UploadIncompleteError(id, [1]);
    await this.#arrived(row);
    return row;
  }

  #assertFits(length: number, name: string): void {
    const { maxSize } = this.storages.get(name);
    if (maxSize !== undefined && length > maxSize) throw new FileTooLargeError(name, maxSize);
  }

  #stateOf(row: FileUpload, file: ManagedFile | undefined, offset: number): ResumableState {
    const { id, storage, length, metadata, kind } = row;
    return {
      id,
      kind: kind as ResumableState['kind'],
      storage,
      offset,
      length: length ?? undefined,
      // Each request that appends has prolonged it.
      expiresAt: row.expiresAt,
      metadata: metadata ?? undefined,
      parts: partsOf(row),
      file,
    };
  }

  #find(id: string, by: ByActor): Promise<FileUpload> {
    return findRow(this.transactor.dataSource.manager, id, { by, now: this.now(), isResumable: true });
  }

  get #rows() {
    return this.transactor.dataSource.getRepository(FileUpload);
  }
}

async function* contentOf(parts: readonly FileUpload[], storage: Storage): AsyncGenerator<Uint8Array, void> {
  for (const { location } of parts) yield* (await storage.read(location)) as AsyncIterable<Uint8Array>;
}
