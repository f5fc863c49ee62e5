import type { Actor } from '../actor/actor.js';

export const ACCESS_OPTIONS = Symbol('ACCESS_OPTIONS');

/**
 * Who may upload, besides managers. `'managers'`: no one else. `'authenticated'`: every signed-in user. `{ storages }`:
 * every signed-in user, but only to these storages. A function decides alone, also for anonymous actors; it gets the
 * storage's name as the client sent it.
 */
export type UploadPolicy =
  | 'managers'
  | 'authenticated'
  | {
      /** Their names. */
      storages: readonly string[];
    }
  | ((actor: Actor | null, storage: string) => boolean | Promise<boolean>);

/** The right on an owner that an actor needs to list its files. */
export type ScanRight = 'read' | 'update' | 'scan';

/** The part of the module's options that decides about access. */
export interface AccessOptions {
  isManager: (actor: Actor | null) => boolean | Promise<boolean>;
  uploads: UploadPolicy;
  cascade: Readonly<Record<string, true | readonly string[]>>;
  transferAsUpdate: boolean;
  scanAs: ScanRight | undefined;
}
