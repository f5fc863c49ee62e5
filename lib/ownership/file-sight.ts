import type { Actor } from '../actor/actor.js';
import type { FileSnapshot } from './statements/transfer-statements.js';

/**
 * Whether an actor may see a file: `unknown` where nobody is there to say, because the file has no owner, or one whose type is not in
 * `cascade`. Only `shown` ones may be told from files that are not there.
 */
export type Sight = 'shown' | 'hidden' | 'unknown';

/** Tells how the actor sees the files, by their ids; the owner's policies are asked once for all of them. */
export type FileSight = (actor: Actor | null, files: readonly FileSnapshot[]) => Promise<ReadonlyMap<string, Sight>>;

export const FILE_SIGHT = Symbol('FILE_SIGHT');
