import type { Readable } from 'node:stream';
import type { Actor } from './actor.js';
import type { ManagedFile } from './managed-file.entity.js';
import type { OwnerReference } from './owner-reference.js';

export interface CreateFileOptions {
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
  /** What the client says the content is: a hint for what the bytes cannot tell. */
  contentType?: string;
  /** Who the history names, and who owns the file where no owner is named. @default the actor of the current call */
  actor?: Actor | null;
}

/** One of several files that are made together. */
export interface NewFile extends CreateFileOptions {
  content: Readable | Uint8Array;
}

export interface RegisterFileOptions {
  /** @default the last part of the location */
  name?: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

export interface CopyFileOptions {
  /** @default the name of the original */
  name?: string;
  /** @default the storage of the original */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

export interface ForceOption {
  /** Also if the file is pinned. @default false */
  force?: boolean;
}

export interface ReplaceOptions extends ForceOption {
  /** Called with the locked file, in the transaction that gives it the content; what it throws leaves everything as it was. */
  allow?: (file: ManagedFile) => void | Promise<void>;
}
