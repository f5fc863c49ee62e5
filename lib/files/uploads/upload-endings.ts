import { Inject, Injectable, Optional } from '@nestjs/common';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { removeUnreferred } from '../content/remove-unreferred.js';
import type { RemovedBytes } from '../content/remove-unreferred.js';
import { OwnershipPort } from '../ownership-port.js';
import { DIRECT_UPLOAD_OPTIONS } from './direct-upload-options.js';
import type { CheckedDirectUploadOptions } from './direct-upload-options.js';
import type { FileUpload } from './file-upload.entity.js';
import { announced, endRow, ownerOf } from './upload-rows.js';

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
   * Gives the upload up, and then removes its bytes; failed removals are left to the sweeper. `false` if it has ended already. The
   * row stays, and with it the location is taken, as long as what was signed can arrive.
   */
  giveUp(row: FileUpload): Promise<boolean> {
    return this.transactor.run(async (unit) => {
      const now = this.now();
      const expiresAt = new Date(Math.min(row.expiresAt.getTime(), now + this.options.urlsExpireAfter));
      if (!(await endRow(unit.manager, row.id, { now: new Date(now), expiresAt }))) return false;
      await this.ownership.onRelease(ownerOf(row), announced(row), unit.manager);
      unit.afterCommit(() => this.clear(row));
      return true;
    });
  }

  /** As `giveUp`, if it has expired; the bytes stay. */
  expire(row: FileUpload): Promise<boolean> {
    return this.transactor.run(async ({ manager }) => {
      const now = new Date(this.now());
      if (!(await endRow(manager, row.id, { now, expiredBy: now }))) return false;
      await this.ownership.onRelease(ownerOf(row), announced(row), manager);
      return true;
    });
  }

  /** Removes the parts and bytes of an ended upload, unless it has become a file. */
  async clear({ storage: name, location }: FileUpload): Promise<RemovedBytes> {
    const storage = this.storages.of({ storage: name });
    if (storage.can('directUploads')) await storage.direct(location, (place) => place.abort(location));
    return removeUnreferred(this.transactor.dataSource, storage, location);
  }
}
