/**
 * The part of an adapter that lets clients send the bytes of a file directly to the storage. Each upload has its own
 * location, at which no object exists and nobody else writes. The object is invisible until the upload is finished.
 * From then on, no request that was signed for the upload changes the bytes.
 */
export interface DirectUploadAdapter {
  /** Prepares for so many bytes, and returns their division into parts. */
  begin(location: string, size: number): Promise<DirectUpload>;
  /** The request by which a client sends a part. Sent again, it replaces the part. */
  sign(location: string, upload: DirectUpload, part: PartToSign): Promise<SignedRequest>;
  /** The parts that have arrived, ordered by number; none once the upload was finished or aborted. */
  parts(location: string, upload: DirectUpload): Promise<UploadedPart[]>;
  /**
   * Makes the object of these parts: all of the upload's, as `parts` returned them. Fails if the tag of one has changed
   * since. If the object exists already, it does nothing.
   */
  finish(location: string, upload: DirectUpload, parts: readonly UploadedPart[]): Promise<void>;
  /**
   * Removes the parts of all uploads to the location that were begun and not finished, also of one whose `begin` was
   * never answered.
   */
  abort(location: string): Promise<void>;
}

/** An upload that was begun. It is kept in the database. */
export interface DirectUpload {
  /** The storage's id of the upload; at most 1024 characters. */
  handle: string;
  /** Bytes of each part but the last. If it is the size of the file, the file comes in one request. */
  partSize: number;
}

/** A part that a client may send. */
export interface PartToSign {
  /** The first is 1. */
  number: number;
  /** It has just so many bytes. */
  size: number;
  /** The request is refused from then on. */
  expiresAt: Date;
}

/** The request that a client has to send. */
export interface SignedRequest {
  /** Such as `PUT`. */
  method: string;
  /** Where to. */
  url: string;
  /** Exactly these, besides those that every client sends: `Host`, `Content-Length`. */
  headers: Readonly<Record<string, string>>;
}

/** A part that is there. */
export interface UploadedPart {
  /** The first is 1. */
  number: number;
  /** Bytes. */
  size: number;
  /** Changes when the part is replaced, as far as the storage can tell. */
  tag: string;
}
