import type { OwnerReference } from '../files/owner-reference.js';
import type { OwnerOperation } from './operations.js';

/**
 * Which rule decided about a file. `manager`, `owner`: the actor is one. `file-policy`: a `FilePolicy` hook said so. `cascade`: the
 * policy of the owner's type was asked for `operation`; `null` is "I do not know". `none`: nobody was there to allow it, and why.
 */
export type AccessDecision =
  | {
      /** The actor may. */
      allowed: true;
      /** Who the actor is. */
      rule: 'manager' | 'owner';
    }
  | {
      /** What the hook said. */
      allowed: boolean;
      /** A hook decided. */
      rule: 'file-policy';
      /** The class of the hook. */
      policy: string;
    }
  | {
      /** Whether the answer was true. */
      allowed: boolean;
      /** The policy of the owner's type decided. */
      rule: 'cascade';
      /** The owner whose policy was asked. */
      owner: OwnerReference;
      /** What it was asked for. */
      operation: OwnerOperation;
      /** The class of the policy. */
      policy: string;
      /** What it said. */
      answer: boolean | null;
    }
  | {
      /** The actor may not. */
      allowed: false;
      /** Nobody was asked. */
      rule: 'none';
      /** Why nobody was. */
      reason: 'unowned' | 'type-not-cascaded' | 'storage-not-cascaded';
    };
