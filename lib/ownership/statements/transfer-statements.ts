import type { EntityManager } from 'typeorm';
import type { Actor } from '../../actor/actor.js';
import { ownerOf } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { ScanState } from '../../files/public-file.js';
import type { TransferAction } from '../../files/ownership-port.js';

/** One file's way to its owner. The files of one call are distinct. */
export interface Move {
  readonly fileId: string;
  readonly toType: string;
  readonly toId: string;
  /** The owner's field that holds the file's id. */
  readonly field: string | null;
  /** Which files may be taken besides the actor's: unowned ones, or any. */
  readonly from: 'actor' | 'unowned' | 'anyone';
  /**
   * The `replacedAt` that the early check of a claim saw: only this content is attached, and none that is infected.
   * Without it, as where the application states the owner, every content is taken.
   */
  readonly seen?: number | undefined;
}

/** Whether the moves differ in their files alone. */
export function isAlike({ toType, toId, field, from, seen }: Move, other: Move): boolean {
  const isSameOwner = toType === other.toType && toId === other.toId;
  return isSameOwner && field === other.field && from === other.from && seen === other.seen;
}

/** Under which conditions the files of one call move. */
export interface TransferTerms {
  readonly actor: Actor | null;
  /** May take everybody's files. */
  readonly isManager: boolean;
  /** Takes pinned files too. */
  readonly force: boolean;
  /** Pins what it takes; a pin that is there stays in any case. */
  readonly pin: boolean;
  /** Whether claims take files that are not scanned yet, or could not be. @default true */
  readonly attachPending?: boolean;
}

/** Why content must not be attached because of its scan. */
export type Unsafe = 'pending' | 'quarantined';

/**
 * `kept`: it is the owner's already; only the field may be another one. `moved`: it may move, and did if no other was
 * refused. The rest are refusals. `changed`: it has other content than the early check saw.
 */
export type Verdict = 'kept' | 'moved' | 'missing' | 'foreign' | 'pinned' | 'changed' | Unsafe;

/** An ownership as the locked row has it. */
export interface OwnershipState {
  readonly ownerType: string | null;
  readonly ownerId: string | null;
  readonly pinned: boolean;
}

export interface TransferOutcome {
  readonly fileId: string;
  readonly verdict: Verdict;
  /** The state of the row under the lock, before the move; meaningless if the file is missing. */
  readonly before: OwnershipState;
}

/** The fields of a file that the checks need. */
export interface FileSnapshot extends OwnershipState {
  readonly id: string;
  readonly storage: string;
  readonly contentType: string;
  readonly size: number;
  readonly ownerField: string | null;
  readonly scan: ScanState | null;
  /** When it got its present content, in milliseconds; 0 for its first content. */
  readonly replacedAt: number;
  /**
   * Whether it is known to expire unless it is attached. PostgreSQL and MariaDB do not read this, because their moves
   * do not need it.
   */
  readonly isDraft: boolean;
}

export interface HistoryEntry {
  readonly fileId: string;
  readonly action: TransferAction;
  readonly from: OwnerReference | null;
  readonly to: OwnerReference | null;
  readonly forced: boolean;
}

/** A transfer as one statement. */
export interface LastTransfer {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** The files that were refused, where this error of the driver says so. */
  refused(error: unknown): TransferOutcome[] | undefined;
}

/** The statements of ownership in one database's words. Their number does not depend on the number of files. */
export abstract class TransferStatements {
  /**
   * Locks the files in the order of their ids, decides by the locked rows, and moves all of them or, if one is refused,
   * none; each move leaves a row in the history. Answers in the order of the moves. Needs a transaction.
   */
  abstract transfer(manager: EntityManager, moves: readonly Move[], terms: TransferTerms): Promise<TransferOutcome[]>;
  /**
   * The same as a statement that may go to the server with the COMMIT, for an actor that is no manager; it pins what is
   * kept, too, and fails where a file is refused. None where the database cannot do that.
   */
  lastTransfer(
    _moves: readonly Move[],
    _terms: Pick<TransferTerms, 'actor' | 'attachPending'>,
  ): LastTransfer | undefined {
    return undefined;
  }
  /** Locks the files in the order of their ids until the transaction ends; files that are not there are left out. */
  abstract lock(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]>;
  /** Reads the files without a lock; files that are not there are left out. */
  abstract look(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]>;
  /** The same for files that the current unit of work may transfer. */
  lookBefore(manager: EntityManager, ids: readonly string[]): Promise<FileSnapshot[]> {
    return this.look(manager, ids);
  }
  /** Writes history. The files are locked by the caller; each row is later than the file's last one. */
  abstract record(manager: EntityManager, entries: readonly HistoryEntry[], actor: Actor | null): Promise<void>;
}

/** How locked files move. */
export interface MoveTerms {
  /** Pins the files; a pin that is there stays in any case. */
  readonly pin: boolean;
  /** Whether one of the files is known to be a draft. */
  readonly hasDrafts: boolean;
}

/** Three steps: lock, move, write the history. What happens is decided here, from the rows that the lock returned. */
export abstract class StepwiseStatements extends TransferStatements {
  async transfer(manager: EntityManager, moves: readonly Move[], terms: TransferTerms): Promise<TransferOutcome[]> {
    const rows = await this.lock(
      manager,
      moves.map(({ fileId }) => fileId),
    );
    const files = new Map<string, FileSnapshot>(rows.map((file) => [file.id, file]));
    const outcomes = moves.map((move): TransferOutcome => {
      const file = files.get(move.fileId);
      return { fileId: move.fileId, verdict: verdictOf(file, move, terms), before: stateOf(file) };
    });
    const moved = moves.filter((_, index) => outcomes[index]?.verdict === 'moved');
    const isRefused = outcomes.some(({ verdict }) => verdict !== 'moved' && verdict !== 'kept');
    if (isRefused) return outcomes;
    if (moved.length > 0) {
      const entries = moved.map((move) => entryOf(move, files.get(move.fileId)));
      await this.move(manager, moved, { pin: terms.pin, ...draftsAmong(moved, files) });
      await this.record(manager, entries, terms.actor);
    }
    const rehung = moves.filter(
      ({ fileId, field }, index) =>
        outcomes[index]?.verdict === 'kept' && field !== null && field !== files.get(fileId)?.ownerField,
    );
    if (rehung.length > 0) await this.move(manager, rehung, { pin: false, ...draftsAmong(rehung, files) });
    return outcomes;
  }

  /** Gives the locked files to their owners. None is a draft afterwards. */
  protected abstract move(manager: EntityManager, moves: readonly Move[], terms: MoveTerms): Promise<void>;
}

function draftsAmong(moves: readonly Move[], files: ReadonlyMap<string, FileSnapshot>): Pick<MoveTerms, 'hasDrafts'> {
  return { hasDrafts: moves.some(({ fileId }) => files.get(fileId)?.isDraft) };
}

function entryOf({ fileId, toType, toId }: Move, file: FileSnapshot | undefined): HistoryEntry {
  const before = stateOf(file);
  // Only force lets a pinned file move.
  return { fileId, action: 'transfer', from: ownerOf(before), to: { type: toType, id: toId }, forced: before.pinned };
}

/** What becomes of a move; the PostgreSQL statement says the same in SQL, and one table of cases holds both to it. */
export function verdictOf(file: FileSnapshot | undefined, move: Move, terms: TransferTerms): Verdict {
  if (file === undefined) return 'missing';
  if (file.ownerType === move.toType && file.ownerId === move.toId) {
    const isInUse = file.pinned || file.ownerField !== null;
    return (isInUse ? undefined : unfit(file, move, terms)) ?? 'kept';
  }
  if (!mayTake(file, move, terms)) return 'foreign';
  if (file.pinned && !terms.force) return 'pinned';
  return unfit(file, move, terms) ?? 'moved';
}

function mayTake({ ownerType, ownerId }: OwnershipState, { from }: Move, { actor, isManager }: TransferTerms): boolean {
  const isOwn = actor !== null && ownerType === actor.type && ownerId === actor.id;
  return isManager || isOwn || from === 'anyone' || (from === 'unowned' && ownerType === null);
}

/** Why a claim does not attach the content. */
function unfit(
  { scan, replacedAt }: FileSnapshot,
  { seen }: Move,
  { attachPending }: TransferTerms,
): Unsafe | 'changed' | undefined {
  if (seen === undefined) return undefined;
  return unsafe(scan, attachPending) ?? (replacedAt === seen ? undefined : 'changed');
}

/**
 * Returns why content must not be attached because of its scan. Without `attachPending`, files that failed their scan,
 * or still wait for it, are refused, too.
 */
export function unsafe(scan: ScanState | null | undefined, attachPending = true): Unsafe | undefined {
  if (scan === 'infected') return 'quarantined';
  if (attachPending) return undefined;
  if (scan === 'failed') return 'quarantined';
  return scan === 'pending' ? 'pending' : undefined;
}

/** The file's ownership. A missing file has no owner. */
export function stateOf(file: OwnershipState | undefined): OwnershipState {
  return { ownerType: file?.ownerType ?? null, ownerId: file?.ownerId ?? null, pinned: file?.pinned ?? false };
}

/** A row of the database as a snapshot; drivers differ in how they give booleans and 64-bit integers. */
export function toSnapshot(row: Record<string, unknown>): FileSnapshot {
  return {
    id: String(row['id']),
    ownerType: row['ownerType'] as string | null,
    ownerId: row['ownerId'] as string | null,
    pinned: Boolean(row['pinned']),
    storage: String(row['storage']),
    contentType: String(row['contentType']),
    size: Number(row['size']),
    ownerField: row['ownerField'] as string | null,
    scan: (row['scan'] ?? null) as ScanState | null,
    replacedAt: Number(row['replacedAt'] ?? 0),
    isDraft: (row['expiresAt'] ?? null) !== null,
  };
}
