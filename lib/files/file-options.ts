import type { OwnerReference } from './owner-reference.js';

export interface CreateFileOptions {
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** `null` for none. @default the actor of the current call, else none */
  owner?: OwnerReference | null;
  /** What the client says the content is: a hint for what the bytes cannot tell. */
  contentType?: string;
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
