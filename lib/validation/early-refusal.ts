import type { Actor } from '../actor/actor.js';
import type { ClaimRefusal } from '../ownership/file-claims.js';
import type { OwnershipState } from '../ownership/statements/transfer-statements.js';
import type { Sight } from '../ownership/transfer-runtime.js';

export interface ClaimTerms {
  readonly actor: Actor | null;
  readonly isManager: boolean;
  readonly ownerType: string;
  readonly allowUnowned: boolean;
}

/**
 * Why the claim on the file is refused before the handler runs; undefined if it is not. Whether the file of an owner of this very
 * type is the target's own can only be told from the result, so that is left to the transfer; but one that the actor may not see is like
 * one that is not there.
 */
export function earlyRefusal(
  file: (OwnershipState & { readonly sight?: Sight }) | undefined,
  terms: ClaimTerms,
): ClaimRefusal | undefined {
  if (!file) return 'foreign';
  const { actor, isManager, ownerType, allowUnowned } = terms;
  if (file.ownerType === ownerType) return file.sight === 'hidden' && !isManager ? 'foreign' : undefined;
  const isOwn = actor !== null && file.ownerType === actor.type && file.ownerId === actor.id;
  if (!isOwn && !isManager && !(allowUnowned && file.ownerType === null)) return 'foreign';
  return file.pinned ? 'pinned' : undefined;
}
