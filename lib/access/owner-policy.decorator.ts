import { SetMetadata } from '@nestjs/common';
import type { Actor } from '../actor/actor.js';
import type { OwnerTypeName } from '../files/owner-type-name.js';
import type { OwnerOperation } from './operations.js';

export const OWNER_POLICY = Symbol('OWNER_POLICY');

/** Decides for all owners of one type. `null` is "I do not know", which counts as no. */
export interface FileOwnerPolicy {
  /** Whether the actor may do this with the owner; anything but true refuses. */
  allows(operation: OwnerOperation, actor: Actor | null, ownerId: string): boolean | null | Promise<boolean | null>;

  /**
   * Answers for a list in one call: gives those of the ids that are allowed, as texts or as the numbers that they are
   * of in the database. Without it, `allows` is asked for each.
   */
  allowsMany?(
    operation: OwnerOperation,
    actor: Actor | null,
    ownerIds: readonly string[],
  ): Iterable<string | number | bigint> | Promise<Iterable<string | number | bigint>>;
}

/**
 * Makes a provider the policy of an owner type. The files of a type listed in the option `cascade` follow it.
 *
 *     @OwnerPolicy('package') export class PackageFiles implements FileOwnerPolicy { … }
 */
export function OwnerPolicy(
  ownerType: OwnerTypeName,
): <T extends abstract new (...args: never[]) => FileOwnerPolicy>(target: T) => void {
  return SetMetadata(OWNER_POLICY, ownerType);
}
