import type { EntityManager } from 'typeorm';
import type { Actor } from './actor.js';
import type { ManagedFile } from './managed-file.entity.js';
import type { TransferAction } from './transfer-action.js';
import type { OwnerReference } from './owner-reference.js';

/** Where a transfer goes, and how. */
export interface TransferOptions {
  ownerType: string;
  ownerId: string;
  /** @default false — the pin is left as it is */
  pin?: boolean;
  /** Transfers pinned files too. @default false */
  force?: boolean;
  /** Who the history names. @default the actor of the current call */
  actor?: Actor | null;
}

/** One line of a file's history. */
export interface OwnershipChange {
  id: string;
  fileId: string;
  action: TransferAction;
  fromType: string | null;
  fromId: string | null;
  toType: string | null;
  toId: string | null;
  actorType: string | null;
  actorId: string | null;
  forced: boolean;
  at: Date;
}

/** What the files room needs of ownership. It is a port so that ownership may know files, and not the other way round. */
export abstract class OwnershipPort {
  /** Moves all of the files to one owner, or none. */
  abstract transfer(ids: readonly string[], to: TransferOptions): Promise<void>;
  abstract pin(id: string): Promise<void>;
  abstract unpin(id: string): Promise<void>;
  /** Oldest first. */
  abstract history(id: string): Promise<OwnershipChange[]>;
  /** Called in the transaction that inserts the row, after it. Who acts is the actor of the current call unless named. */
  abstract onCreate(file: ManagedFile, manager: EntityManager, actor?: Actor | null): Promise<void>;
  /** Throws where the owner has no room for so much more: asked before bytes are read, and nothing is reserved. */
  abstract assertRoom(owner: OwnerReference | null, more: { bytes: number; count: number }): Promise<void>;
  /** Called in the transaction that lets the row refer to bytes of another size, after it, with the row locked. */
  abstract onResize(file: ManagedFile, bytesBefore: number, manager: EntityManager): Promise<void>;
  /** Called in the transaction that deletes the row, before it, with the row locked. */
  abstract onDelete(file: ManagedFile, manager: EntityManager): Promise<void>;
}
