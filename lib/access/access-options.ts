import type { Actor } from '../actor/actor.js';

export const ACCESS_OPTIONS = Symbol('ACCESS_OPTIONS');

/**
 * Who may upload, besides managers. `'managers'`: no one else. `'authenticated'`: every signed-in user. `{ storages }`:
 * these too, but only to the storages listed. A function answers for itself, also for anonymous actors; the storage is
 * as the client named it.
 */
export type UploadPolicy =
  | 'managers'
  | 'authenticated'
  | {
      /** Their names. */
      storages: readonly string[];
    }
  | ((actor: Actor | null, storage: string) => boolean | Promise<boolean>);

/** The right on an owner that listing its files asks for. */
export type ScanRight = 'read' | 'update' | 'scan';

/** The part of the module's options that decides about access. */
export interface AccessOptions {
  isManager: (actor: Actor | null) => boolean | Promise<boolean>;
  uploads: UploadPolicy;
  cascade: Readonly<Record<string, true | readonly string[]>>;
  transferAsUpdate: boolean;
  scanAs: ScanRight | undefined;
}
