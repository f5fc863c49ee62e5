import { Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import type { FileOperation } from '../../access/operations.js';
import { TaskQueueMissingError } from '../../errors/units.errors.js';
import { ActorSource } from '../../actor/actor.js';
import { assertNotDerived } from '../../files/derived/derived-rows.js';
import { fileIdOrFail } from '../../files/file-id.js';
import { FilesService } from '../../files/files.service.js';
import { lockFile } from '../../files/lock-files.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { Transactor } from '../../unit-of-work/transactor.js';

type Change = Exclude<FileOperation, 'read' | 'stream'>;

/** How a refusal calls the operation. */
const REFUSED: Readonly<Record<Exclude<Change, 'delete'>, string>> = {
  update: 'a change of its name',
  transfer: 'a transfer',
  pin: 'a change of its pin',
};

/** Finds files over HTTP, after a check of access. */
@Injectable()
export class FileGate {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly transactor: Transactor,
  ) {}

  /** The file, if the actor of the call may do this with it. */
  async find(id: string, operation: FileOperation, context: ExecutionContext): Promise<ManagedFile> {
    const file = await this.files.findOrFail(fileIdOrFail(id));
    await this.access.assertCan(await this.actors.of(context), operation, file);
    return file;
  }

  /**
   * As `find`, and locked until the unit of work ends, so that access was checked for the state that is changed. Access
   * is checked before the lock, too: a call that waits for it would know that the file is there. Throws
   * `FileDerivedError` for a change of a derived file, which can only be deleted.
   */
  async lockFor(id: string, operation: Change, context: ExecutionContext): Promise<ManagedFile> {
    const unit = this.transactor.current();
    if (!unit) throw new TaskQueueMissingError();
    const found = await this.find(id, operation, context);
    if (operation !== 'delete') assertNotDerived(found, REFUSED[operation]);
    const actor = await this.actors.of(context);
    const file = await lockFile(unit.manager, fileIdOrFail(id));
    await this.access.assertCan(actor, operation, file);
    return file;
  }
}
