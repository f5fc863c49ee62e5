import type { FieldProblem } from '../errors/file-problem.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { Claimant } from './guard/change-rights.js';
import type { RowOwners, WantedOwner } from './guard/row-owners.js';
import type { CallOutcome } from './call-outcome.js';
import type { Move, TransferOutcome } from './statements/transfer-statements.js';

/** The owner that a queued transfer goes to, and the error for its refusal. */
export interface TransferTarget {
  readonly field: string | null;
  readonly from: Move['from'];
  readonly seen: Move['seen'];
  /** The actors who have to have the right to change the owner. */
  readonly claimants: readonly Claimant[];
  /** The owners to find by the rows that name the file. Empty if the application stated the owner. */
  readonly wanted: readonly WantedOwner[];
  /**
   * Returns the owner. If the owner type is guarded, the rows that name the file decide. Otherwise the owner is read
   * from the result of the call.
   */
  owner(outcome: CallOutcome, rows: RowOwners): OwnerReference;
  /** The error of a refused transfer. */
  refusal(refused: TransferOutcome, outcome: CallOutcome): Refusal;
}

/**
 * Why a transfer is refused: with an error; because the file has changed since the early check; or with the message of
 * the validation.
 */
export type Refusal =
  | { readonly kind: 'error'; readonly error: Error }
  | { readonly kind: 'changed'; readonly fileId: string }
  | { readonly kind: 'invalid'; readonly messages: readonly RefusalMessage[] };

/** A message about a field, which may be about several of its files. */
export interface RefusalMessage {
  /** Messages with the same key are merged into one message about all of their files. */
  readonly key: string;
  readonly fileId: string;
  readonly write: (fileIds: readonly string[]) => FieldProblem;
}
