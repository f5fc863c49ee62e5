import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { randomUUID } from 'node:crypto';
import { ManagedFile } from '../../lib/index.js';
import { FileTransfer } from '../../lib/entry/entities.js';
import { Package } from '../support/files-table.js';
import { ADA, assertAttachable } from './api.js';
import type { AttachManyDto, AttachOneDto, AttachService } from './api.js';

/** The obvious service by hand: one transaction, set-based where TypeORM has it. */
@Injectable()
export class TypeormService implements AttachService {
  constructor(private readonly dataSource: DataSource) {}

  attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    return this.dataSource.transaction(async (manager) => {
      await manager.update(Package, id, { title, attachmentId });
      await giveFiles(manager, id, [attachmentId], 'attachmentId');
      return { id, title, attachmentId };
    });
  }

  attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    return this.dataSource.transaction(async (manager) => {
      await manager.update(Package, id, { title, fileIds });
      await giveFiles(manager, id, fileIds, 'fileIds');
      return { id, title, fileIds };
    });
  }
}

/** Locks, checks, moves and writes the history. */
export async function giveFiles(manager: EntityManager, id: number, ids: string[], ownerField: string): Promise<void> {
  const locks = manager.dataSource.options.type !== 'better-sqlite3';
  const files = await manager.find(ManagedFile, {
    where: { id: In(ids) },
    order: { id: 'ASC' },
    ...(locks && { lock: { mode: 'pessimistic_write' as const } }),
  });
  assertAttachable(files, ids);
  const owner = { ownerType: 'package', ownerId: String(id), ownerField, pinned: true };
  await manager.update(ManagedFile, { id: In(ids) }, owner);
  await manager.insert(
    FileTransfer,
    ids.map((fileId) => historyOf(fileId, id)),
  );
}

function historyOf(fileId: string, id: number): Partial<FileTransfer> & { id: string } {
  const { type: actorType, id: actorId } = ADA;
  const from = { fromType: actorType, fromId: actorId };
  const to = { toType: 'package', toId: String(id) };
  return {
    id: randomUUID(),
    fileId,
    action: 'transfer',
    ...from,
    ...to,
    actorType,
    actorId,
    forced: false,
    at: new Date(),
  };
}
