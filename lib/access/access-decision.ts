import type { OwnerReference } from '../files/owner-reference.js';
import type { OwnerOperation } from './operations.js';

/**
 * Which rule decided about a file. `manager`, `owner`: the actor is one. `file-policy`: a `FilePolicy` hook said so.
 * `cascade`: the policy of the owner's type was asked for `operation`; `null` is "I do not know". `none`: there was no
 * policy that could allow it, with the reason.
 */
export type AccessDecision =
  | {
      /** The actor may. */
      allowed: true;
      /** Who the actor is. */
      rule: 'manager' | 'owner';
    }
  | {
      /** The answer of the hook. */
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
      /** The operation that it was asked about. */
      operation: OwnerOperation;
      /** The class of the policy. */
      policy: string;
      /** Its answer. */
      answer: boolean | null;
    }
  | {
      /** The actor may not. */
      allowed: false;
      /** No policy was asked. */
      rule: 'none';
      /** The reason. */
      reason: 'unowned' | 'type-not-cascaded' | 'storage-not-cascaded';
    };
