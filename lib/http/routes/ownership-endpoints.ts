import { Body, Delete, Get, Header, HttpCode, HttpStatus, Injectable, Param, Post, Put } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import { AccessDeniedError } from '../../errors/access.errors.js';
import { FileNotFoundError } from '../../errors/files.errors.js';
import { OwnerNamesFilesError } from '../../errors/ownership.errors.js';
import { ActorSource } from '../../actor/actor.js';
import { normalizeFileId } from '../../files/file-id.js';
import { FilesService } from '../../files/files.service.js';
import { assertOwnerReference } from '../../files/owner-reference.js';
import type { OwnershipChange } from '../../files/ownership-port.js';
import { guardedOwners } from '../../ownership/guard/guarded-entities.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { PublicFile } from '../../files/public-file.js';
import { WithTaskQueue } from '../../task-queue/with-task-queue.decorator.js';
import { CallContext } from './call-context.decorator.js';
import { FileAnswers, PRIVATE } from './file-answers.js';
import { FileGate } from './file-gate.js';
import { TransferFileInput } from './inputs.js';
import { ValidInput } from './valid-input.pipe.js';

/** Who owns files, over HTTP, guarded. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class OwnershipEndpoints {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly gate: FileGate,
    private readonly transactor: Transactor,
    private readonly answers: FileAnswers,
  ) {}

  /**
   * Checks both rights: to give the file away, and to give files to the owner. Owners whose records name their files
   * get them by being saved.
   */
  @Post(':id/transfer')
  @WithTaskQueue({ retry: 3 })
  @HttpCode(HttpStatus.OK)
  async transfer(
    @Param('id') id: string,
    @Body(new ValidInput()) { ownerType, ownerId, pin = false, force = false }: TransferFileInput,
    @CallContext() context: ExecutionContext,
  ): Promise<PublicFile> {
    const owner = { type: ownerType, id: ownerId };
    assertOwnerReference(owner);
    const actor = await this.actors.of(context);
    const file = await this.gate.lockFor(id, 'transfer', context);
    if (pin) await this.access.assertCan(actor, 'pin', file);
    await this.access.assertCanOwner(actor, 'receive', owner);
    if (force && !(await this.access.isManager(actor))) {
      throw new AccessDeniedError('force a transfer of', `file ${file.id}`);
    }
    const isThere = file.ownerType === ownerType && file.ownerId === ownerId;
    // People have files that no row names.
    const isPerson = ownerType === actor?.type;
    // A row that names the file would be checked by its field's decorators; here nothing would be.
    if (!isThere && !isPerson && guardedOwners(this.transactor.dataSource, ownerType).length > 0)
      throw new OwnerNamesFilesError(ownerType);
    await this.files.transferOwnership(file.id, { ownerType, ownerId, pin, force });
    return this.answers.of(await this.files.findOrFail(file.id));
  }

  @Put(':id/pin')
  @WithTaskQueue({ retry: 3 })
  async pin(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    const file = await this.gate.lockFor(id, 'pin', context);
    await this.files.pin(file.id);
    return this.answers.of(await this.files.findOrFail(file.id));
  }

  @Delete(':id/pin')
  @WithTaskQueue({ retry: 3 })
  async unpin(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    const file = await this.gate.lockFor(id, 'pin', context);
    await this.files.unpin(file.id);
    return this.answers.of(await this.files.findOrFail(file.id));
  }

  /**
   * Only for actors who may change the file, because the history names other users. The history of a deleted file is
   * for managers.
   */
  @Get(':id/history')
  @Header(...PRIVATE)
  async history(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<OwnershipChange[]> {
    const isManager = await this.access.isManager(await this.actors.of(context));
    if (!isManager) return this.files.history((await this.gate.find(id, 'update', context)).id);
    const changes = await this.files.history(id);
    if (changes.length === 0) throw new FileNotFoundError(normalizeFileId(id) ?? id);
    return changes;
  }
}
