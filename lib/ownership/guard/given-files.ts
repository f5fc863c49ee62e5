import { isSameOwner } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { TransactionState } from '../../unit-of-work/transaction/transaction-state.js';
import type { OwnershipState } from '../statements/transfer-statements.js';

/**
 * The owners that one transaction gave files to, and took files from. Notes of a part of the transaction are undone
 * with it.
 */
export class GivenFiles {
  readonly #given = new Map<string, OwnerReference>();
  /** The gifts from before a rollback of an unknown part. */
  readonly #formerlyGiven = new Map<string, OwnerReference>();
  readonly #taken = new Map<string, readonly OwnerReference[]>();
  readonly #disinherited = new Map<string, OwnershipState>();

  constructor(private readonly state: TransactionState) {}

  /** Notes that the file is the owner's, and locked. */
  given(fileId: string, owner: OwnerReference): void {
    this.state.setUndoable(this.#given, fileId, owner);
  }

  /** Notes that the file has no owner any more, or is gone. */
  dropped(fileId: string): void {
    this.state.setUndoable(this.#given, fileId, undefined);
  }

  /** Notes that the file was taken from the owner: transferred or deleted. */
  taken(fileId: string, owner: OwnerReference): void {
    this.dropped(fileId);
    const owners = this.#taken.get(fileId) ?? [];
    if (!owners.some((one) => isSameOwner(one, owner))) this.state.setUndoable(this.#taken, fileId, [...owners, owner]);
  }

  /** Notes that the file lost its owner here, because that one only has the id of an earlier owner. */
  disinherited(fileId: string, state: OwnershipState): void {
    this.state.setUndoable(this.#disinherited, fileId, state);
  }

  /** The state of the file before it lost its owner here. */
  beforeDisinherited(fileId: string): OwnershipState | undefined {
    return this.#disinherited.get(fileId);
  }

  /** The files that were taken, and from whom. */
  get allTaken(): ReadonlyMap<string, readonly OwnerReference[]> {
    return this.#taken;
  }

  /**
   * The owner that the file was given to in this transaction; undefined where it was not, or may have been taken back.
   */
  ownerOf(fileId: string): OwnerReference | undefined {
    return this.#given.get(fileId);
  }

  /** Whether the file was given to the owner in this transaction, also if that may have been taken back. */
  wasGiven(fileId: string, owner: OwnerReference): boolean {
    return isSameOwner(owner, this.#given.get(fileId)) || isSameOwner(owner, this.#formerlyGiven.get(fileId));
  }

  /** It is now unknown which of the files still belong to their owners. */
  forget(): void {
    for (const [id, owner] of this.#given) {
      this.state.setUndoable(this.#formerlyGiven, id, owner);
      this.dropped(id);
    }
  }
}
