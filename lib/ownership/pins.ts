import type { EntityManager } from 'typeorm';
import type { Actor } from '../actor/actor.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import type { TransferAction } from '../files/ownership-port.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import type { TransferOutcome, TransferStatements } from './statements/transfer-statements.js';
import { ownerOf } from '../files/owner-reference.js';

const IDS_PER_STATEMENT = 10_000;

/** Pins or unpins files that the caller has locked, and writes that to their history. */
export async function setPins(
  statements: TransferStatements,
  manager: EntityManager,
  files: readonly Pick<TransferOutcome, 'fileId' | 'before'>[],
  pinned: boolean,
  actor: Actor | null,
): Promise<void> {
  if (files.length === 0) return;
  const action: TransferAction = pinned ? 'pin' : 'unpin';
  const ids = files.map(({ fileId }) => fileId);
  // A pinned file is kept: it does not expire any more.
  const change = pinned ? { pinned, expiresAt: null } : { pinned };
  for (const chunk of inChunks(ids, IDS_PER_STATEMENT)) await manager.update(ManagedFile, chunk, change);
  const entries = files.map(({ fileId, before }) => {
    return { fileId, action, from: ownerOf(before), to: ownerOf(before), forced: false };
  });
  await statements.record(manager, entries, actor);
}
