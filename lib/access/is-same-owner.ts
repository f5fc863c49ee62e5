import type { Actor } from '../files/actor.js';

/** Whether the actor is this owner. Nobody is the owner of what is nobody's. */
export function isSameOwner(actor: Actor | null, type: string | null, id: string | null): boolean {
  return actor !== null && actor.type === type && actor.id === id;
}
