import { In } from 'typeorm';
import type { EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { ManagedFile } from '../../files/managed-file.entity.js';
import { uuidV7 } from '../../files/file-id.js';
import { FileTransfer } from '../file-transfer.entity.js';
import { witnessHistory } from './history-witness.js';
import { StepwiseStatements, toSnapshot } from './transfer-statements.js';
import type { FileSnapshot, HistoryEntry, Move, MoveTerms } from './transfer-statements.js';
import { dialectOf } from '../../unit-of-work/dialects/dialect-of.js';
import { dataSourceOf } from '../../unit-of-work/typeorm/data-source.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';

const IDS_PER_STATEMENT = 1_000;

/** Works on every database of TypeORM, through TypeORM's methods: more statements, but the same outcomes. */
export class PortableStatements extends StepwiseStatements {
  lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return this.#read(manager, ids, !dialectOf(dataSourceOf(manager)).hasOneWriter);
  }

  look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return this.#read(manager, ids, false);
  }

  async record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void> {
    for (const { fileId, action, from, to, forced } of entries) {
      const id = uuidV7();
      const last = await manager.maximum(FileTransfer, 'at' as never, { fileId });
      await manager.insert(FileTransfer, {
        id,
        fileId,
        action,
        ...columns('from', from),
        ...columns('to', to),
        ...columns('actor', actor),
        forced,
        at: new Date(Math.max(Date.now(), Number(last ?? 0) + 1)),
      });
      witnessHistory(manager, id);
    }
  }

  protected async move(manager: EntityManager, moves: readonly Move[], { pin }: MoveTerms): Promise<void> {
    for (const { fileId, toType, toId, field } of moves) {
      const owner = { ownerType: toType, ownerId: toId, ownerField: field, expiresAt: null };
      await manager.update(ManagedFile, { id: fileId }, pin ? { ...owner, pinned: true } : owner);
    }
  }

  async #read(manager: EntityManager, ids: readonly string[], locked: boolean): Promise<FileSnapshot[]> {
    const sorted = ids.toSorted();
    const files: FileSnapshot[] = [];
    for (const chunk of inChunks(sorted, IDS_PER_STATEMENT)) {
      const rows = await manager.find(ManagedFile, {
        where: { id: In(chunk) },
        order: { id: 'ASC' },
        ...(locked && { lock: { mode: 'pessimistic_write' as const } }),
      });
      files.push(...rows.map((row) => toSnapshot({ ...row })));
    }
    return files;
  }
}

/** The two columns of a reference; both are null if there is no reference. */
function columns<Name extends 'from' | 'to' | 'actor'>(
  name: Name,
  reference: { readonly type: string; readonly id: string } | null,
): Pick<FileTransfer, `${Name}Type` | `${Name}Id`> {
  return { [`${name}Type`]: reference?.type ?? null, [`${name}Id`]: reference?.id ?? null } as never;
}
