import type { Actor } from '../../actor/actor.js';
import type { ManagedFile } from '../managed-file.entity.js';
import type { ByActor } from '../uploads/direct-upload-types.js';
import type { UploadKind } from '../uploads/file-upload.entity.js';
import type { ChunkChecksum } from './checked-chunk.js';

/** What every resumable upload has. */
export interface NewResumable {
  /** The name that people see. */
  name: string;
  /** The content type that the client declares: a hint where the bytes cannot tell. */
  contentType?: string;
  /** The name of the storage. */
  storage: string;
  /** Kept as it is, for the client. */
  metadata: string | undefined;
  /** Who begins it, and owns the file. */
  actor: Actor | null;
}

/** An upload that is to come through the application in several requests. */
export interface BeginResumable extends NewResumable {
  /** Bytes; undefined if the client does not know them yet. */
  length: number | undefined;
  /** Whether it will be a part of another one, and no file itself. */
  isPartial: boolean;
  /** Whether content follows, to be appended at once. */
  hasContent: boolean;
}

/** An upload that is made of partial ones. */
export interface ConcatenateUploads extends NewResumable {
  /** The ids of the partial uploads, in their order. */
  parts: readonly string[];
}

/** Bytes that arrive, each chunk when it is asked for. */
export interface ArrivingContent extends AsyncIterable<Uint8Array> {
  /** From now on, whoever asks for a chunk gets this error, also who has asked already. */
  stop(error: Error): void;
}

/** Bytes that go on where the upload has stopped. */
export interface Appended extends ByActor {
  /** Where they begin. */
  offset: number;
  content: ArrivingContent;
  /**
   * Called with the name of the storage, before anything is read; throws if the actor may not upload there any more.
   */
  allow?: (storage: string) => Promise<void>;
  /** The error of content that ended early; what came of it is kept. */
  failure(): Error | undefined;
  /** How many bytes the client says there are. */
  size?: number | undefined;
  /** The length of the whole upload, if the client tells it only now. */
  length?: number | undefined;
  checksum?: ChunkChecksum | undefined;
}

/** How far a resumable upload is. */
export interface ResumableState {
  /** The upload's id; the file will have it, too. */
  id: string;
  kind: Exclude<UploadKind, 'direct'>;
  /** The name of the storage. */
  storage: string;
  /** Bytes that are there. */
  offset: number;
  /** Bytes of the whole upload; undefined as long as the client has not told. */
  length: number | undefined;
  expiresAt: Date;
  metadata: string | undefined;
  /** The ids of the uploads of which a final one consists. */
  parts: readonly string[];
  /** The file, once the upload is one. */
  file: ManagedFile | undefined;
}
