/**
 * Where clients send the bytes of a file to the storage themselves, past the application. Each upload has its own
 * location, at which no object exists and nobody else writes. It is invisible until it is finished, and from then on no
 * request that was signed for it changes the bytes.
 */
export interface DirectUploadPlace {
  /** Prepares for so many bytes, and returns their division into parts. */
  begin(location: string, size: number): Promise<DirectUpload>;
  /** The request by which a client sends a part. Sent again, it replaces the part. */
  sign(location: string, upload: DirectUpload, part: PartToSign): Promise<SignedRequest>;
  /** The parts that are there, by their numbers; none where the upload has been finished or aborted. */
  parts(location: string, upload: DirectUpload): Promise<UploadedPart[]>;
  /**
   * Makes the object of these parts, which are all, as `parts` has told of them. It fails where one of them has another
   * tag since. Where the object is there already, it does nothing.
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
  /** Bytes of each part but the last one. All of them: the file comes in one request. */
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
  /** Another one when the part is replaced, as far as the place can tell. */
  tag: string;
}
