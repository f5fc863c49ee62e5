import type { Actor } from '../actor/actor.js';
import type { ManagedFile } from './managed-file.entity.js';
import type { FileContent } from './content/open-content.js';
import type { MetadataValue } from './metadata-value.js';
import type { OwnerReference } from './owner-reference.js';

/** The name, storage and owner of a new file. */
export interface CreateFileOptions {
  /** The name that people see, in any script. Throws `FileNameInvalidError` for a name that no file may have. */
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
  /** The content type that the client declares: a hint where the bytes cannot tell. */
  contentType?: string;
  /** The actor for the history, and the owner if none is named. @default the actor of the current call */
  actor?: Actor | null;
  /**
   * The number of bytes for which the owner must have room before the content is read, if known: of this file, or of
   * all files that come together. The actual number is checked again. @default 0
   */
  room?: number;
  /**
   * An upload of its owner's that is attached later, or else deleted when the time of the option `drafts` is over.
   * Uploads over HTTP are drafts. Without an owner, or without the option, it stays. @default false
   */
  draft?: boolean;
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
  /** The declared content type, such as `text/csv`: a hint where the bytes cannot tell. */
  contentType?: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

/** One of several existing bytes that become files together. */
export interface ExistingFile extends RegisterFileOptions {
  /** Where in the storage. */
  location: string;
}

/** How many bytes are read side by side. */
export interface RegisterAllOptions {
  /** @default 4 */
  concurrency?: number;
}

/** The differences from the original. */
export interface CopyFileOptions {
  /** @default the name of the original */
  name?: string;
  /** @default the storage of the original */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
}

/** The changes of `FilesService.update()`; what is left out stays. */
export interface FileChanges {
  /** The name that people see. */
  name?: string;
  /**
   * In place of all that was there, or a function of that, which is called with the row locked. `null` for none. At
   * most 64 KiB of JSON.
   */
  metadata?: MetadataValue | null | ((current: MetadataValue | null) => MetadataValue | null);
}

/** How many files are copied side by side. */
export interface CopyAllOptions {
  /** @default 4 */
  concurrency?: number;
}

/** How content is read. */
export interface StreamOptions {
  /** Also if it was not found clean: for administrators, and for scanners. @default false */
  quarantined?: boolean;
}

/** For operations that a pin prevents. */
export interface ForceOption {
  /** Also if the file is pinned. @default false */
  force?: boolean;
}

/** How content is replaced. */
export interface ReplaceOptions extends ForceOption {
  /** The size of the content, if known: its owner must have room for it before it is read. */
  size?: number;
  /**
   * Called with the locked file, in the transaction that gives it the content. An error leaves everything as it was.
   */
  allow?: (file: ManagedFile) => void | Promise<void>;
}
