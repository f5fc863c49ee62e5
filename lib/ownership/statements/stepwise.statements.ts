import type { EntityManager } from 'typeorm';
import { TransferStatements, ownerOf, stateOf, verdictOf } from './transfer-statements.js';
import type { FileSnapshot, HistoryEntry, Move, MoveOutcome, TransferTerms } from './transfer-statements.js';

/** Three steps: lock, move, write the history. What happens is decided here, from the rows that the lock returned. */
export abstract class StepwiseStatements extends TransferStatements {
  async transfer(manager: EntityManager, moves: readonly Move[], terms: TransferTerms): Promise<MoveOutcome[]> {
    const rows = await this.lock(
      manager,
      moves.map(({ fileId }) => fileId),
    );
    const files = new Map<string, FileSnapshot>(rows.map((file) => [file.id, file]));
    const outcomes = moves.map((move): MoveOutcome => {
      const file = files.get(move.fileId);
      return { fileId: move.fileId, verdict: verdictOf(file, move, terms), before: stateOf(file) };
    });
    const moved = moves.filter((_, index) => outcomes[index]?.verdict === 'moved');
    const isRefused = outcomes.some(({ verdict }) => verdict !== 'moved' && verdict !== 'kept');
    if (isRefused) return outcomes;
    if (moved.length > 0) {
      const entries = moved.map((move) => entryOf(move, files.get(move.fileId)));
      await this.move(manager, moved, terms.pin);
      await this.record(manager, entries, terms.actor);
    }
    const rehung = moves.filter(
      ({ fileId, field }, index) =>
        outcomes[index]?.verdict === 'kept' && field !== null && field !== files.get(fileId)?.ownerField,
    );
    if (rehung.length > 0) await this.move(manager, rehung, false);
    return outcomes;
  }

  /** Gives the locked files to their owners. */
  protected abstract move(manager: EntityManager, moves: readonly Move[], pin: boolean): Promise<void>;
}

function entryOf({ fileId, toType, toId }: Move, file: FileSnapshot | undefined): HistoryEntry {
  const before = stateOf(file);
  // Only force lets a pinned file move.
  return { fileId, action: 'transfer', from: ownerOf(before), to: { type: toType, id: toId }, forced: before.pinned };
}
