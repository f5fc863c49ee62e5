import { Inject, Injectable, Optional } from '@nestjs/common';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { announceUpload } from '../uploads/announce-upload.js';
import { DIRECT_UPLOAD_OPTIONS } from '../uploads/direct-upload-options.js';
import type { CheckedDirectUploadOptions } from '../uploads/direct-upload-options.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadBeginnings } from '../uploads/upload-beginnings.js';
import { UploadEndings } from '../uploads/upload-endings.js';
import type { NewResumable } from './resumable-types.js';

/** Begins resumable uploads: first their row, then in the storage. */
@Injectable()
export class ResumableBeginnings {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly beginnings: UploadBeginnings,
    private readonly endings: UploadEndings,
    @Inject(DIRECT_UPLOAD_OPTIONS) private readonly options: CheckedDirectUploadOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Begins an upload that counts so many bytes for its owner; `as` makes the row what it is to be. */
  async enter(options: NewResumable & { size: number }, as: (row: FileUpload) => FileUpload): Promise<FileUpload> {
    const storage = this.storages.get(options.storage);
    storage.require('resumableUploads', 'stat', 'read', 'remove');
    const { actor, metadata = null } = options;
    const { expireAfter } = this.options;
    const row = as(announceUpload(options, { storage, actor, now: this.now(), expireAfter }));
    row.metadata = metadata;
    await this.beginnings.enter(row, storage);
    try {
      const handle = await storage.resumable(row.location, (uploads) =>
        uploads.begin(row.location, row.length ?? undefined),
      );
      row.handle = handle;
      if (handle !== '') await this.transactor.dataSource.getRepository(FileUpload).update({ id: row.id }, { handle });
      return row;
    } catch (error) {
      await this.endings.giveUp(row);
      throw error;
    }
  }
}
