/** An object whose bytes become a part of another one. */
export interface JoinedObject {
  /** Where it is. */
  location: string;
  /** Bytes. */
  size: number;
}

/**
 * Where the bytes of a file arrive through the application in several requests. Each upload has its own location, at
 * which no object exists and nobody else writes; one request at a time appends. It is invisible until it is finished.
 * The bytes that `offset` tells of survive what written objects survive, and each of them is as it came: the place
 * itself is the only record of how far an upload is.
 */
export interface ResumableUploadPlace {
  /**
   * Prepares the upload of so many bytes, if that is known, and returns the place's id of it, which is kept in the
   * database: at most 1024 characters, none where the location is all that the place needs.
   */
  begin(location: string, length: number | undefined): Promise<string>;
  /**
   * How many bytes are there, from the first one on without a gap. 0 where none came, `undefined` once it is finished.
   */
  offset(location: string, handle: string): Promise<number | undefined>;
  /**
   * Adds the content behind the bytes that are there, of which there are exactly `offset`. If the content fails, the
   * bytes before the failure are stored as far as the place can, and the error is thrown; but after an
   * `UploadBusyError`, with which another request has gone on, nothing is written any more. Resolves to the new offset.
   * Memory does not depend on the size of the content. `size` is how many bytes the content is said to have, if that is
   * known.
   */
  append(
    location: string,
    handle: string,
    offset: number,
    content: AsyncIterable<Uint8Array>,
    size?: number,
  ): Promise<number>;
  /** The first bytes, at most so many, of an upload of which no more than 64 KiB are there. */
  head(location: string, handle: string, size: number): Promise<Buffer>;
  /** Makes the object of the bytes that are there. Where the object is there already, it does nothing. */
  finish(location: string, handle: string): Promise<void>;
  /**
   * Removes the bytes of the upload to the location, also of one whose `begin` was never answered; not the object of a
   * finished one.
   */
  abort(location: string): Promise<void>;
  /**
   * Finishes an upload to which nothing was appended with the bytes of these objects, one behind the other, without
   * letting these bytes come here. `false` where the place cannot, and has done nothing. A place without this verb
   * never can.
   */
  join?(location: string, handle: string, objects: readonly JoinedObject[]): Promise<boolean>;
}
