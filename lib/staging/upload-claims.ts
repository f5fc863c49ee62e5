import { FileOwnerConflictError } from '../errors/file-owner-conflict.error.js';
import { findOwner, receivedOf } from '../ownership/owner-resolution.js';
import type { CallOutcome, FileClaim } from '../ownership/owner-resolution.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import type { Attachment, AttachmentTarget } from './attachment.js';
import type { StagedFile } from './staged-file.js';
import { UploadAndAttachTask } from './upload-and-attach.task.js';
import type { UploadRule } from './upload-rule.js';

/** A field of a DTO that names a staged file. */
export interface UploadClaim extends FileClaim {
  readonly rule: UploadRule;
  /** All files that the field names, in their order; none where it is no list. */
  readonly list: readonly StagedFile[] | undefined;
}

const CLAIMS = Symbol('nestjs-files:upload-claims');

/** Queues that the staged file becomes the owner's, once per file: several pipes may validate the same field. */
export function queueUpload(queue: UnitQueue, staged: StagedFile, claim: UploadClaim): void {
  const queued = queue.unit.slot(CLAIMS, () => new Map<string, UploadClaims>());
  const claims = queued.get(staged.id);
  if (claims) return claims.add(claim);
  const fresh = new UploadClaims(claim);
  queued.set(staged.id, fresh);
  queue.add(new UploadAndAttachTask(staged, claim.ownerType, fresh));
}

/** All that the validations of one call say about one staged file. They have to agree about its owner. */
export class UploadClaims implements AttachmentTarget {
  readonly #claims: UploadClaim[];

  constructor(first: UploadClaim) {
    this.#claims = [first];
  }

  /** Adds what another validation says. */
  add(claim: UploadClaim): void {
    this.#claims.push(claim);
  }

  /** The owner that the field's DTO became. */
  resolve(outcome: CallOutcome): Attachment {
    const found = receivedOf(this.#claims, outcome).map((claim) => ({ claim, owner: findOwner(claim, outcome) }));
    const owners = new Set(found.map(({ claim, owner }) => `${claim.ownerType} ${owner.id}`));
    const last = found.at(-1);
    if (last === undefined || owners.size > 1)
      throw new FileOwnerConflictError(this.#claims[0]?.fileId ?? '', [...owners]);
    const { claim } = last;
    const { dtoName, property, ownerType, rule, list } = claim;
    const { id } = last.owner;
    return {
      owner: { type: ownerType, id },
      entities: [...new Set(found.flatMap(({ owner }) => owner.entities))],
      place: `${dtoName}.${property}`,
      attachAs: rule.attachAs,
      field: rule.field,
      isStated: rule.isStated,
      list,
      detached: detachedBy(claim, id),
    };
  }
}

/** What the owner's field held before: it is looked for under the owner's name of it, and the owner is known. */
function detachedBy({ fileId, list, ...claim }: UploadClaim, ownerId: string): Attachment['detached'] {
  const { rule } = claim;
  if (rule.detached === 'keep') return undefined;
  return {
    ...claim,
    property: rule.field,
    owner: () => ownerId,
    detached: rule.detached,
    rule,
    sent: list?.map(({ id }) => id) ?? [fileId],
  };
}
