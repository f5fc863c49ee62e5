import { Inject, Injectable, Optional } from '@nestjs/common';
import { FileTypeNotAcceptedError } from '../../errors/files.errors.js';
import { UploadFinalError, UploadNotFoundError } from '../../errors/uploads.errors.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ManagedFile } from '../managed-file.entity.js';
import type { ByActor } from '../uploads/direct-upload-types.js';
import type { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadCompletion } from '../uploads/upload-completion.js';
import { UploadEndings } from '../uploads/upload-endings.js';
import { findRow } from '../uploads/upload-rows.js';
import { ResumableBeginnings } from './resumable-beginnings.js';
import { stateOf } from './resumable-state.js';
import type { Appended, BeginResumable, ResumableState } from './resumable-types.js';
import { RunningHashes } from './running-hashes.js';
import { UploadAppends } from './upload-appends.js';
import { UploadLeases } from './upload-leases.js';

/**
 * Uploads that come through the application in several requests, each of which goes on where the one before has
 * stopped. The storage alone knows how far an upload is. When all bytes are there, it becomes a file. Nothing here
 * checks who may begin one.
 */
@Injectable()
export class ResumableUploads {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly beginnings: ResumableBeginnings,
    private readonly appends: UploadAppends,
    private readonly leases: UploadLeases,
    private readonly completion: UploadCompletion,
    private readonly endings: UploadEndings,
    private readonly hashes: RunningHashes,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Begins an upload. One of no bytes is complete at once, unless its content is to be appended nevertheless. */
  async begin({ length, isPartial, hasContent, ...options }: BeginResumable): Promise<ResumableState> {
    const row = await this.beginnings.enter({ ...options, size: length ?? 0 }, (entered) =>
      Object.assign(entered, { kind: isPartial ? 'partial' : 'single', length: length ?? null }),
    );
    return stateOf(row, length === 0 && !hasContent ? await this.#arrived(row) : undefined, 0);
  }

  /**
   * How far the upload is; throws `UploadNotFoundError`. One whose last bytes came just before a crash becomes a file
   * now.
   */
  async find(id: string, by: ByActor): Promise<ResumableState> {
    const row = await this.#find(id, by);
    if (row.endedAt) return stateOf(row, await this.completion.fileOf(row), row.length ?? row.size);
    const offset = await this.appends.offsetOf(row);
    const isWhole = offset === row.length && row.kind !== 'final';
    return stateOf(row, isWhole ? await this.#arrived(row) : undefined, offset);
  }

  /** Appends bytes. With the last one, the upload becomes a file. */
  async append(id: string, appended: Appended): Promise<ResumableState> {
    const row = await this.#find(id, appended);
    if (row.kind === 'final') throw new UploadFinalError(id);
    await appended.allow?.(row.storage);
    if (row.endedAt) {
      const file = await this.completion.fileOf(row);
      this.appends.assertOffset(row, appended, row.length ?? row.size);
      await this.appends.assertNoMore(row, appended);
      return stateOf(row, file, appended.offset);
    }
    return this.leases.hold(row, async (lease) => {
      // As it is under the lease: a request before may have told the length.
      const current = await this.#find(id, appended);
      try {
        const offset = await this.appends.append(current, appended, lease);
        const file = offset === current.length ? await this.#arrived(current) : undefined;
        lease.isSpent = file !== undefined;
        const failure = offset === current.length ? undefined : appended.failure();
        if (failure) throw failure;
        return stateOf(current, file, offset);
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

  /** All bytes are there. Returns the file, unless the upload is only a part. */
  async #arrived(row: FileUpload): Promise<ManagedFile | undefined> {
    if (row.kind !== 'partial') return this.completion.complete(row, this.#hashOf(row));
    const { location, handle } = row;
    await this.storages.of(row).resumable(location, (uploads) => uploads.finish(location, handle ?? ''));
    return undefined;
  }

  /** The hash of the complete upload, if this process knows it. */
  #hashOf(row: FileUpload): string | undefined {
    const { hashAlgorithm } = this.storages.of(row);
    const length = row.length ?? 0;
    // It was begun anew for no bytes at all.
    return length === 0 ? undefined : this.hashes.take(row.id, length, hashAlgorithm)?.hash.digest('hex');
  }

  #find(id: string, by: ByActor): Promise<FileUpload> {
    return findRow(this.transactor.dataSource.manager, id, { by, now: this.now(), isResumable: true });
  }
}
