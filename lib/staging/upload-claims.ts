import { OwnerConflictError } from '../errors/ownership.errors.js';
import type { Claimant } from '../ownership/guard/change-rights.js';
import { rowOwner } from '../ownership/guard/row-owners.js';
import type { RowOwners } from '../ownership/guard/row-owners.js';
import { receivedOf } from '../ownership/call-outcome.js';
import type { CallOutcome, FileClaim } from '../ownership/call-outcome.js';
import { findOwner, shownOwner } from '../ownership/owner-resolution.js';
import type { FoundOwner } from '../ownership/owner-resolution.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import type { Attachment, AttachmentTarget } from './attachment.js';
import type { StagedFile } from './staged-file.js';
import { UploadAndAttachTask } from './upload-and-attach.task.js';
import type { UploadRule } from './upload-rule.js';

/** A field of a DTO that names a staged file. */
export interface UploadClaim extends FileClaim {
  readonly rule: UploadRule;
  /** The actor who has to have the right to change the owner. */
  readonly claimant: Claimant | undefined;
  /**
   * All files that the field names, in their order; for those that did not come with the call, their ids. Undefined
   * unless the field is a list.
   */
  readonly list: readonly (StagedFile | string)[] | undefined;
}

const CLAIMS = Symbol('nestjs-files:upload-claims');

/** Queues the transfer of the staged file to the owner, once per file: several pipes may validate the same field. */
export function queueUpload(queue: UnitQueue, staged: StagedFile, claim: UploadClaim): void {
  const queued = queue.unit.slot(CLAIMS, () => new Map<string, UploadClaims>());
  const claims = queued.get(staged.id);
  if (claims) return claims.add(claim);
  const fresh = new UploadClaims(claim);
  queued.set(staged.id, fresh);
  queue.add(new UploadAndAttachTask(staged, claim.ownerType, fresh));
}

/** The claims of all validations of one call on one staged file. They have to agree on its owner. */
export class UploadClaims implements AttachmentTarget {
  readonly #claims: UploadClaim[];

  constructor(first: UploadClaim) {
    this.#claims = [first];
  }

  /** Adds the claim of another validation. */
  add(claim: UploadClaim): void {
    this.#claims.push(claim);
  }

  /** The owner that the field's DTO became. */
  resolve(outcome: CallOutcome, rows: RowOwners): Attachment {
    const received = receivedOf(this.#claims, outcome);
    const found = received.map((claim) => ({ claim, owner: ownerBy(claim, outcome, rows) }));
    const owners = new Set(found.map(({ claim, owner }) => `${claim.ownerType} ${owner.id}`));
    const last = found.at(-1);
    if (last === undefined || owners.size > 1) throw new OwnerConflictError(this.#claims[0]?.fileId ?? '', [...owners]);
    const { claim } = last;
    const { dtoName, property, ownerType, rule, list } = claim;
    const { id } = last.owner;
    return {
      owner: { type: ownerType, id },
      entities: [...new Set(found.flatMap(({ owner }) => owner.entities))],
      isChosen: false,
      claimants: received.flatMap(({ claimant }) => claimant ?? []),
      place: `${dtoName}.${property}`,
      attachAs: rule.attachAs,
      field: rule.field,
      isStated: rule.isStated,
      list,
    };
  }
}

/** Found by the row that names the file; if the library has yet to write the field, by the result. */
function ownerBy(claim: UploadClaim, outcome: CallOutcome, rows: RowOwners): FoundOwner {
  if (rows.of(claim.fileId, claim.ownerType).length === 0) return findOwner(claim, outcome);
  const { id } = rowOwner(claim, outcome, rows);
  const shown = shownOwner(claim, outcome);
  return { id, entities: shown?.id === id ? shown.entities : [] };
}
