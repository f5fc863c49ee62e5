import type { Actor } from '../actor/actor.js';

/** Which of the owners of a type the actor may change. */
export type ChangeableOwners = (
  actor: Actor | null,
  ownerType: string,
  ids: readonly string[],
) => Promise<ReadonlySet<string>>;

export const CHANGEABLE_OWNERS = Symbol('CHANGEABLE_OWNERS');
