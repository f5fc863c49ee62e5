import { Injectable } from '@nestjs/common';
import { FilesService, toPublicFile } from 'nestjs-files';
import type { ManagedFile, OwnerReference, PublicFile } from 'nestjs-files';
import type { TransferAction } from 'nestjs-files/entities';
import type { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';
import { OwnerPages } from './owner-pages.js';
import type { OwnerPage } from './owner-pages.js';

/** A file as the pages show it. */
export interface FileView extends PublicFile {
  owner: OwnerPage | null;
  /** Whether it is the viewer's own, so that the viewer can give it to a record. */
  isOwn: boolean;
}

/** A moment in the life of a file. */
export interface HistoryView {
  action: TransferAction;
  from: OwnerPage | null;
  to: OwnerPage | null;
  /** The name of who did it. */
  by: string | null;
  at: Date;
}

@Injectable()
export class FileViews {
  constructor(
    private readonly files: FilesService,
    private readonly owners: OwnerPages,
    private readonly users: UsersService,
  ) {}

  async of(files: readonly ManagedFile[], viewer: User | null): Promise<FileView[]> {
    const references = files.map(({ ownerType, ownerId }) => reference(ownerType, ownerId));
    const page = await this.owners.of(known(references), viewer);
    return files.map((file, index) => {
      const owner = references[index];
      const isOwn = owner?.type === 'user' && owner.id === viewer?.id;
      return { ...toPublicFile(file), owner: owner ? page(owner) : null, isOwn };
    });
  }

  /** The oldest first. */
  async historyOf(fileId: string, viewer: User | null): Promise<HistoryView[]> {
    const changes = (await this.files.history(fileId)).map(
      ({ action, fromType, fromId, toType, toId, actorId, at }) => {
        return { action, from: reference(fromType, fromId), to: reference(toType, toId), actorId, at };
      },
    );
    const page = await this.owners.of(known(changes.flatMap(({ from, to }) => [from, to])), viewer);
    const names = await this.users.namesOf(changes.map(({ actorId }) => actorId ?? ''));
    return changes.map(({ action, from, to, actorId, at }) => {
      return { action, from: from && page(from), to: to && page(to), by: names.get(actorId ?? '') ?? null, at };
    });
  }
}

function reference(type: string | null, id: string | null): OwnerReference | null {
  return type === null || id === null ? null : { type, id };
}

function known(owners: readonly (OwnerReference | null)[]): OwnerReference[] {
  return owners.filter((owner) => owner !== null);
}
