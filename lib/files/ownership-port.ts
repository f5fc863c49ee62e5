import type { EntityManager } from 'typeorm';
import type { Actor } from '../actor/actor.js';
import type { ManagedFile } from './managed-file.entity.js';
import type { Room } from './content/room.js';
import type { OwnerReference } from './owner-reference.js';
import type { OwnerTypeName } from './owner-type-name.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';

/** Where a transfer goes, and how. */
export interface TransferOptions {
  /** The new owner's type. */
  ownerType: OwnerTypeName;
  /** The new owner's id. */
  ownerId: string;
  /** @default false — the pin is left as it is */
  pin?: boolean;
  /** Transfers pinned files too. @default false */
  force?: boolean;
  /** Who the history names. @default the actor of the current call */
  actor?: Actor | null;
}

/** What happened to a file's ownership. */
export type TransferAction = 'create' | 'transfer' | 'pin' | 'unpin' | 'release' | 'delete' | 'expire';

/** One line of a file's history. */
export interface OwnershipChange {
  /** A time-ordered UUID. */
  id: string;
  /** The file, which may be gone by now. */
  fileId: string;
  /** The operation. */
  action: TransferAction;
  /** The owner before; null for none. */
  fromType: string | null;
  /** The id of the owner before; null for none. */
  fromId: string | null;
  /** The owner after; null for none. */
  toType: string | null;
  /** The id of the owner after; null for none. */
  toId: string | null;
  /** Who did it; null for anonymous. */
  actorType: string | null;
  /** The id of who did it; null for anonymous. */
  actorId: string | null;
  /** Whether a pin was overridden. */
  forced: boolean;
  /** Rises with each row of one file, independently of the writers' clocks. */
  at: Date;
}

/** So many bytes, and files. */
export interface Amount {
  readonly bytes: number;
  readonly count: number;
}

/** What an open upload counts for its future owner. */
export interface Reservation extends Amount {
  readonly owner: OwnerReference | null;
}

/**
 * The functions of ownership that the files room calls. It is a port, so that ownership imports files, and not the
 * other way round.
 */
export abstract class OwnershipPort {
  /** Moves all of the files to one owner, or none. */
  abstract transfer(ids: readonly string[], to: TransferOptions): Promise<void>;
  /** Pins owned files, or none. */
  abstract pin(ids: string | readonly string[]): Promise<void>;
  abstract unpin(ids: string | readonly string[]): Promise<void>;
  /** Oldest first. */
  abstract history(id: string): Promise<OwnershipChange[]>;
  /**
   * Called after the insert of the row, in its transaction. The default actor is that of the current call. The
   * reservations of uploads that this transaction has ended end with it: all of them are charged at once.
   */
  abstract onCreate(
    file: ManagedFile,
    manager: EntityManager,
    actor?: Actor | null,
    ended?: readonly Reservation[],
  ): Promise<void>;
  /**
   * As `onCreate`, for several files, which may have several actors. The number of statements does not depend on the
   * number of files.
   */
  abstract onCreateAll(
    files: readonly ManagedFile[],
    manager: EntityManager,
    actorOf?: (file: ManagedFile) => Actor | null | undefined,
  ): Promise<void>;
  /**
   * Called in the transaction in which an upload begins, after its row was inserted: the announced size counts for the
   * owner. Throws if the owner has no room, unless the upload only takes the place of others that count already.
   */
  abstract onReserve(
    owner: OwnerReference | null,
    announced: Amount,
    manager: EntityManager,
    takesPlace?: boolean,
  ): Promise<void>;
  /**
   * Called in the transaction in which an upload is given up, after its row was updated: the announced size no longer
   * counts.
   */
  abstract onRelease(owner: OwnerReference | null, announced: Amount, manager: EntityManager): Promise<void>;
  /**
   * The room of the owner, `undefined` for a type without limits. Throws if so many more bytes do not fit. Called
   * before bytes are read; nothing is reserved.
   */
  abstract roomFor(owner: OwnerReference | null, more: Amount): Promise<Room | undefined>;
  /** Called in the transaction that lets the row refer to bytes of another size, after it, with the row locked. */
  abstract onResize(file: ManagedFile, bytesBefore: number, manager: EntityManager): Promise<void>;
  /** Called in the transaction that deletes the row, before it, with the row locked. */
  abstract onDelete(file: ManagedFile, manager: EntityManager): Promise<void>;
  /**
   * Deletes files whose rows this unit has locked, because nobody has attached them: rows, history, quotas, and the
   * bytes after the commit.
   */
  abstract expire(files: readonly ManagedFile[], unit: UnitOfWork): Promise<void>;
  /**
   * As `onDelete`, for several files, but after their rows were deleted. The number of statements does not depend on
   * their number.
   */
  abstract onDeleteAll(files: readonly ManagedFile[], manager: EntityManager): Promise<void>;
}
