import { Injectable } from '@nestjs/common';
import { LocationTakenError } from '../../errors/storage.errors.js';
import type { Storage } from '../../storage/storage.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { orTaken } from '../new-file.js';
import { OwnershipPort } from '../ownership-port.js';
import { FileUpload } from './file-upload.entity.js';
import { UploadEndings } from './upload-endings.js';
import { announced } from './upload-rows.js';
import { ownerOf } from '../owner-reference.js';

/** Writes the rows of uploads, before the storage is asked. */
@Injectable()
export class UploadBeginnings {
  constructor(
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly endings: UploadEndings,
  ) {}

  /** Writes the row. The announced size counts for the owner from now on. Throws `LocationTakenError`. */
  async enter(row: FileUpload, storage: Storage): Promise<void> {
    // As for all content: a transformer of the application's may give a location twice. Of uploads, the first to have
    // its row has the location.
    if (await storage.exists(row.location)) throw new LocationTakenError(row.location, storage.name);
    await this.transactor.run(async (unit) => {
      await orTaken(row, () => unit.manager.insert(FileUpload, { ...row }));
      // A final upload takes the place of its parts. It counts beside them for a while, and is no file more.
      await this.ownership.onReserve(ownerOf(row), announced(row), unit.manager, row.kind === 'final');
      unit.afterRollback(() => this.endings.clear(row));
    });
  }
}
