import type { FieldProblem } from '../errors/file-problem.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { RowOwners, WantedOwner } from './guard/row-owners.js';
import type { CallOutcome } from './call-outcome.js';
import type { Move, MoveOutcome } from './statements/transfer-statements.js';

/** The owner that a queued transfer goes to, and the error for its refusal. */
export interface TransferTarget {
  readonly field: string | null;
  readonly from: Move['from'];
  /** Whether the actor has to have the right to change the owner. */
  readonly authorize: boolean;
  /** Which owners are to be found by the rows that name the file; none where the application named the owner. */
  readonly wanted: readonly WantedOwner[];
  /** The owner: by the rows that name the file, where the owner type is guarded, else read from the result of the call. */
  owner(outcome: CallOutcome, rows: RowOwners): OwnerReference;
  /** The error of a refused transfer. */
  refusal(refused: MoveOutcome, outcome: CallOutcome): Refusal;
}

/** An error; a file that has changed since it was checked; or the message that the pipe would have given. */
export type Refusal =
  | { readonly kind: 'error'; readonly error: Error }
  | { readonly kind: 'changed'; readonly fileId: string }
  | { readonly kind: 'invalid'; readonly messages: readonly RefusalMessage[] };

/** A message about a field, which may be about several of its files. */
export interface RefusalMessage {
  /** The same for all messages that become one. */
  readonly key: string;
  readonly fileId: string;
  readonly write: (fileIds: readonly string[]) => FieldProblem;
}
