import { Inject, Injectable, Optional } from '@nestjs/common';
import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { UploadNotFoundError } from '../../errors/uploads.errors.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { removeUnreferred } from '../content/remove-unreferred.js';
import type { RemovedBytes } from '../content/remove-unreferred.js';
import { OwnershipPort } from '../ownership-port.js';
import { DIRECT_UPLOAD_OPTIONS } from './direct-upload-options.js';
import type { CheckedDirectUploadOptions } from './direct-upload-options.js';
import { FileUpload } from './file-upload.entity.js';
import { announced, endRow, isResumableRow, partsOf } from './upload-rows.js';
import { ownerOf } from '../owner-reference.js';

/** Gives uploads up, and removes their bytes. */
@Injectable()
export class UploadEndings {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * Gives the upload up, and then removes its bytes; failed removals are left to the sweeper. `false` if it has ended
   * already. The row stays, and with it the location is taken, as long as what was signed can arrive.
   */
  giveUp(row: FileUpload): Promise<boolean> {
    return this.transactor.run(async (unit) => {
      const now = this.now();
      const expiresAt = new Date(Math.min(row.expiresAt.getTime(), now + this.options.urlsExpireAfter));
      if (!(await endRow(unit.manager, row.id, { now: new Date(now), expiresAt }))) return false;
      await this.#release(row, unit.manager);
      unit.afterCommit(() => this.clear(row));
      return true;
    });
  }

  /**
   * Ends the parts of a final upload in the transaction that makes a file of it, and then removes their bytes. Returns
   * the parts, whose reservations the caller ends together with that of the final upload. Throws `UploadNotFoundError`
   * if one of them has ended.
   */
  async useUp(unit: UnitOfWork, final: FileUpload): Promise<FileUpload[]> {
    const { manager } = unit;
    const now = new Date(this.now());
    // In one order, and before any owner's usage: the same parts may be joined, or given up, by others at once.
    for (const id of partsOf(final).toSorted()) {
      if (!(await endRow(manager, id, { now, expiresAt: now }))) throw new UploadNotFoundError(id);
    }
    // Read once they have ended: until then, a request that appends may reserve more. A snapshot shows what it changed.
    const parts = await manager.findBy(FileUpload, { id: In(partsOf(final)) });
    unit.afterCommit(async () => {
      for (const row of parts) await this.clear(row);
    });
    return parts;
  }

  /** As `giveUp`, if it has expired; the bytes stay. */
  expire(row: FileUpload): Promise<boolean> {
    return this.transactor.run(async ({ manager }) => {
      const now = new Date(this.now());
      if (!(await endRow(manager, row.id, { now, expiredBy: now }))) return false;
      await this.#release(row, manager);
      return true;
    });
  }

  /** Removes the parts and bytes of an ended upload, unless it has become a file. */
  async clear(row: FileUpload): Promise<RemovedBytes> {
    const { storage: name, location } = row;
    const storage = this.storages.of({ storage: name });
    if (isResumableRow(row)) {
      if (storage.can('resumableUploads')) await storage.resumable(location, (uploads) => uploads.abort(location));
    } else if (storage.can('directUploads')) {
      await storage.direct(location, (uploads) => uploads.abort(location));
    }
    return removeUnreferred(this.transactor.dataSource, storage, location);
  }

  /**
   * What the upload has reserved no longer counts. A request that appends may have reserved more since the row was
   * read.
   */
  async #release(row: FileUpload, manager: EntityManager): Promise<void> {
    const isFixed = !isResumableRow(row) || row.length !== null;
    const now = isFixed ? row : ((await manager.findOneBy(FileUpload, { id: row.id })) ?? row);
    await this.ownership.onRelease(ownerOf(row), announced(now), manager);
  }
}
