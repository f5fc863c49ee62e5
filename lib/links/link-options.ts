import { LinkOptionInvalidError } from '../errors/setup.errors.js';
import type { Actor } from '../actor/actor.js';
import { LINK_PURPOSES } from './link-token.js';
import type { LinkPurpose } from './link-token.js';

/** How one link is made. */
export interface LinkOptions {
  /** Seconds. @default 3600, an hour */
  expiresIn?: number;
  /** @default 'download' */
  purpose?: LinkPurpose;
  /** The only actor who may use the link. @default anyone who has the link */
  actor?: Actor;
}

export interface CheckedLinkOptions {
  expiresIn: number;
  purpose: LinkPurpose;
  actor: Actor | null;
}

const TEN_YEARS = 315_360_000;

/** Fills in the defaults; throws `LinkOptionInvalidError`. */
export function readLinkOptions(options: LinkOptions): CheckedLinkOptions {
  const { expiresIn = 3600, purpose = 'download', actor } = options;
  if (!Number.isFinite(expiresIn) || expiresIn <= 0 || expiresIn > TEN_YEARS) {
    throw new LinkOptionInvalidError('expiresIn', expiresIn, `a number of seconds above zero, at most ${TEN_YEARS}`);
  }
  if (!LINK_PURPOSES.includes(purpose)) {
    throw new LinkOptionInvalidError('purpose', purpose, LINK_PURPOSES.map((known) => `"${known}"`).join(' or '));
  }
  // `actor: null`, from an anonymous caller, must not become a link for everybody.
  if (actor !== undefined && (actor === null || !actor.type || !actor.id)) {
    throw new LinkOptionInvalidError(
      'actor',
      actor,
      'an actor with type and id, or left out for anyone who has the link',
    );
  }
  return { expiresIn, purpose, actor: actor === undefined ? null : { type: String(actor.type), id: String(actor.id) } };
}
