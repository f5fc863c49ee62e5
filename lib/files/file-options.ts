import type { Actor } from '../actor/actor.js';
import type { ManagedFile } from './managed-file.entity.js';
import type { FileContent } from './content/open-content.js';
import type { OwnerReference } from './owner-reference.js';

/** The name, storage and owner of a new file. */
export interface CreateFileOptions {
  /** The name that people see, in any script. Throws `FileNameInvalidError` for a name that no file may have. */
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
  /** The content type that the client claims: a hint where the bytes cannot tell. */
  contentType?: string;
  /** Who the history names, and who owns the file where no owner is named. @default the actor of the current call */
  actor?: Actor | null;
  /**
   * For how many bytes the owner has to have room before the content is read, where that is known: its own, or those of all files that
   * come together. The actual number is checked again. @default 0
   */
  room?: number;
}

/** One of several files that are made together. */
export interface NewFile extends CreateFileOptions {
  /** The bytes. A stream is consumed. */
  content: FileContent;
}

/** Options for existing bytes. */
export interface RegisterFileOptions {
  /** @default the last part of the location */
  name?: string;
  /** The claimed content type, such as `text/csv`: a hint where the bytes cannot tell. */
  contentType?: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

/** What differs from the original. */
export interface CopyFileOptions {
  /** @default the name of the original */
  name?: string;
  /** @default the storage of the original */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

/** For operations that a pin prevents. */
export interface ForceOption {
  /** Also if the file is pinned. @default false */
  force?: boolean;
}

/** How content is replaced. */
export interface ReplaceOptions extends ForceOption {
  /** How many bytes the content will have, where that is known: its owner has to have room for them before they are read. */
  size?: number;
  /** Called with the locked file, in the transaction that gives it the content. An error leaves everything as it was. */
  allow?: (file: ManagedFile) => void | Promise<void>;
}
