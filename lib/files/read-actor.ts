import { OptionInvalidError } from '../errors/setup.errors.js';
import type { Actor } from './actor.js';
import { idText } from './id-text.js';

/**
 * The actor with type and id as texts, and whatever else the application put on it. Throws `OptionInvalidError` without one of both: all such
 * actors would be one and the same owner.
 */
export function readActor(actor: Actor | null | undefined, source = 'it'): Actor | null {
  if (actor === null || actor === undefined) return null;
  const { type, id }: { type?: unknown; id?: unknown } = actor;
  const text = idText(id);
  if (typeof type === 'string' && type !== '' && text !== undefined) {
    return text === id ? actor : withId(actor, text);
  }
  const has = typeof actor === 'object' ? `{ ${Object.keys(actor).join(', ')} }` : typeof actor;
  throw new OptionInvalidError(
    'actor',
    `${source} gave ${has}, which has no ${text === undefined ? 'id' : 'type'}. An actor is a type and an id, or null for nobody: ` +
      "(context) => { const { user } = context.switchToHttp().getRequest(); return user ? { type: 'user', id: user.sub } : null; }",
  );
}

/** The same actor, also where its class computes the id. */
function withId(actor: Actor, id: string): Actor {
  const own = Object.getOwnPropertyDescriptors(actor);
  const stated = { value: id, enumerable: true, writable: true, configurable: true };
  return Object.create(Object.getPrototypeOf(actor) as object, { ...own, id: stated }) as Actor;
}
