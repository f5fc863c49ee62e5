import type { Actor } from '../actor/actor.js';

/** Whether the actor is this owner. An unowned file has no owner to match. */
export function isSameOwner(actor: Actor | null, type: string | null, id: string | null): boolean {
  return actor !== null && actor.type === type && actor.id === id;
}
