import type { OwnerReference } from '../files/owner-reference.js';
import type { Claimant } from '../ownership/guard/change-rights.js';
import type { RowOwners } from '../ownership/guard/row-owners.js';
import type { CallOutcome } from '../ownership/call-outcome.js';
import type { StagedFile } from './staged-file.js';
import type { AttachAs } from './upload-rule.js';

/** The owner of a staged file, and the value for the owner's field. */
export interface Attachment {
  readonly owner: OwnerReference;
  /** The owner's entities in the result; none if it shows only the id. */
  readonly entities: readonly object[];
  /** Whether the application chose the owner itself, whose row need not name the file. */
  readonly isChosen: boolean;
  /** The actors who have to have the right to change the owner. */
  readonly claimants: readonly Claimant[];
  /** For messages: the DTO's field, or the task. */
  readonly place: string;
  readonly attachAs: AttachAs;
  /** The owner's property; none where nothing is to be written. */
  readonly field: string | undefined;
  /** Whether the owner has to have that property. */
  readonly isStated: boolean;
  /** All files of the field in their order, where it is a list; of those that are the owner's already the ids. */
  readonly list: readonly (StagedFile | string)[] | undefined;
}

/** Tells where a staged file belongs, when the result of the call is known. */
export interface AttachmentTarget {
  /** Throws `OwnerNotResolvedError` where neither a row names the file nor the result tells. */
  resolve(outcome: CallOutcome, rows: RowOwners): Attachment;
}

/** A staged file, and where it belongs. */
export interface PlacedFile extends Attachment {
  readonly staged: StagedFile;
}
