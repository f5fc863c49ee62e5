import type { OwnerReference } from '../files/owner-reference.js';
import type { OwnerOperation } from './operations.js';

/**
 * Which rule decided about a file. `manager`, `owner`: the actor is one. `file-policy`: a `FilePolicy` hook said so. `cascade`: the
 * policy of the owner's type was asked for `operation`; `null` is "I do not know". `none`: nobody was there to allow it, and why.
 */
export type AccessDecision =
  | { allowed: true; rule: 'manager' | 'owner' }
  | { allowed: boolean; rule: 'file-policy'; policy: string }
  | {
      allowed: boolean;
      rule: 'cascade';
      owner: OwnerReference;
      operation: OwnerOperation;
      policy: string;
      answer: boolean | null;
    }
  | { allowed: false; rule: 'none'; reason: 'unowned' | 'type-not-cascaded' | 'storage-not-cascaded' };
