import { SetMetadata } from '@nestjs/common';
import type { Actor } from '../actor/actor.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import type { FileOperation } from './operations.js';

export const FILE_POLICY = Symbol('FILE_POLICY');

/** Decides about single files. `null` leaves the answer to the file's owner. */
export interface FileAccessPolicy {
  /** True allows, false refuses, null leaves it to others; anything else refuses. */
  allows(operation: FileOperation, actor: Actor | null, file: ManagedFile): boolean | null | Promise<boolean | null>;

  /**
   * Answers for a list in one call: an answer for each of the files, in their order. Without it, `allows` is asked for
   * each.
   */
  allowsMany?(
    operation: FileOperation,
    actor: Actor | null,
    files: readonly ManagedFile[],
  ): readonly (boolean | null)[] | Promise<readonly (boolean | null)[]>;
}

/**
 * Makes a provider a hook that is asked before the owner's policy. Several may exist: one that says `false` wins over
 * those that say `true`, so their order does not matter.
 */
export function FilePolicy(): <T extends abstract new (...args: never[]) => FileAccessPolicy>(target: T) => void {
  return SetMetadata(FILE_POLICY, true);
}
