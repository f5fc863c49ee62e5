import type { Actor } from '../actor/actor.js';

/** The application's `isManager` option: who may attach any file that is not pinned. */
export type ManagerCheck = (actor: Actor | null) => boolean | Promise<boolean>;

export const MANAGER_CHECK = Symbol('MANAGER_CHECK');
