import type { Actor } from '../../actor/actor.js';
import type { SignedRequest } from '../../storage/direct-upload-adapter.js';
import type { OwnerReference } from '../owner-reference.js';

/** An upload that a client wants to send to a storage. */
export interface BeginUploadOptions {
  /** The name that people see, in any script. Throws `FileNameInvalidError` for a name that no file may have. */
  name: string;
  /** Bytes. Exactly as many must be sent. */
  size: number;
  /** The content type that the client declares: a hint where the bytes cannot tell. */
  contentType?: string;
  /** @default the `defaultStorage` of the module */
  storage?: string;
  /** The hash that the content has to have: `sha256:9f86d0…`, or of md5, sha1, sha384, sha512. */
  checksum?: string;
  /** `null` for none. @default the actor, else none */
  owner?: OwnerReference | null;
  /** Who begins it, and who the history names. @default the actor of the current call */
  actor?: Actor | null;
}

/** Who must have begun an upload. */
export interface ByActor {
  /** `null` is anonymous. */
  actor: Actor | null;
}

/** An upload that was begun: the one request by which the client sends it, or the number of its parts. */
export type BegunUpload = BegunWhole | BegunParts;

/** The client sends all of it in one request. */
export interface BegunWhole extends SignedRequest {
  /** The upload's id; the file will have it, too. */
  id: string;
  /** The upload ends then, unless it is completed. The request expires sooner. */
  expiresAt: Date;
}

/** The client sends it in parts, for which it has requests signed. */
export interface BegunParts {
  /** The upload's id; the file will have it, too. */
  id: string;
  /** The upload ends then, unless it is completed. */
  expiresAt: Date;
  /** Bytes of each part but the last one. */
  partSize: number;
  /** How many parts there are. */
  parts: number;
}

/** The request by which a client sends a part. */
export interface SignedPart extends SignedRequest {
  /** The first is 1. */
  number: number;
  /** Bytes: just so many. */
  size: number;
}

/** How far an upload is. */
export interface UploadState {
  /** The upload's id, and that of its file. */
  id: string;
  /** The name of the file. */
  name: string;
  /** The name of the storage. */
  storage: string;
  /** Bytes, as announced. */
  size: number;
  /** The content type that the client declared. */
  contentType: string | null;
  /** The upload ends then. */
  expiresAt: Date;
  /** `completed`: it is a file. */
  state: 'open' | 'completed';
  /** Bytes of each part but the last one. */
  partSize: number;
  /** How many parts there are; 1 where it comes in one request. */
  parts: number;
  /** The numbers of those that are there. */
  uploaded: number[];
}
