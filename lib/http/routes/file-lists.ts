import { Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import { AuthenticationRequiredError } from '../../errors/access.errors.js';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import { ActorSource } from '../../actor/actor.js';
import { FilesService } from '../../files/files.service.js';
import { assertOwnerText } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { PublicFile } from '../../files/public-file.js';
import type { FoundFiles } from '../../files/search/file-filter.js';
import { searchVisibleFiles } from '../../files/search/search-visible-files.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FileAnswers } from './file-answers.js';
import type { ListFilesInput } from './inputs.js';
import { assertPublicFields, readListOptions } from './list-options.js';

/** A page of files. */
export interface FileList {
  /** How many files there are on all pages. */
  count: number;
  results: PublicFile[];
  /** The `cursor` of the next page; null on the last one. */
  next: string | null;
}

/**
 * Lists files over HTTP: those of an owner whose files the actor may list, else the actor's own, or all for managers.
 */
@Injectable()
export class FileLists {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly transactor: Transactor,
    private readonly answers: FileAnswers,
  ) {}

  async find(query: ListFilesInput, context: ExecutionContext): Promise<FileList> {
    const { count, results, next } = await this.#find(query, context);
    return { count, results: results.map((file) => this.answers.of(file)), next };
  }

  async #find(query: ListFilesInput, context: ExecutionContext): Promise<FoundFiles> {
    const actor = await this.actors.of(context);
    const options = readListOptions(query);
    const isManager = await this.access.isManager(actor);
    if (!isManager) assertPublicFields(options);
    const named = ownerOf(query);
    if (named === undefined && isManager) return this.files.search(options);
    const owner = named ?? actor;
    if (owner === null) throw new AuthenticationRequiredError('list', 'files');
    await this.access.assertCanOwner(actor, 'scan', owner);
    const sieve = await this.access.sieveFor(actor, owner);
    if (sieve === undefined) return this.files.scan({ ...options, ownerType: owner.type, ownerId: owner.id });
    return searchVisibleFiles(this.transactor.dataSource, options, { owner }, sieve);
  }
}

function ownerOf({ ownerType, ownerId }: ListFilesInput): OwnerReference | undefined {
  if (ownerType === undefined && ownerId === undefined) return undefined;
  if (ownerType === undefined || ownerId === undefined) {
    throw new RequestInvalidError('query', ['ownerType and ownerId belong together']);
  }
  const owner = { type: ownerType, id: ownerId };
  assertOwnerText(owner);
  return owner;
}
