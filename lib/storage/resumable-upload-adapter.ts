/** An object whose bytes become a part of another one. */
export interface JoinedObject {
  /** Where it is. */
  location: string;
  /** Bytes. */
  size: number;
}

/**
 * The part of an adapter that takes the bytes of a file in several requests through the application. Each upload has
 * its own location, at which no object exists and nobody else writes; one request at a time appends. The object is
 * invisible until the upload is finished. The bytes that `offset` counts are as durable as written objects, and
 * unchanged: the storage is the only record of how far an upload has come.
 */
export interface ResumableUploadAdapter {
  /**
   * Prepares an upload of `length` bytes, or of an unknown number. Returns the handle: the storage's id of the upload,
   * at most 1024 characters. It is kept in the database, and passed to the other methods. It is an empty string if the
   * storage needs only the location.
   */
  begin(location: string, length: number | undefined): Promise<string>;
  /** How many bytes have arrived, from the first on without a gap; `undefined` once the upload is finished. */
  offset(location: string, handle: string): Promise<number | undefined>;
  /**
   * Adds the content after the bytes that have arrived, of which there are exactly `offset`. Resolves to the new
   * offset. If the content fails, the bytes before the failure are stored as far as the storage can, and the error is
   * thrown. But if the content throws an `UploadBusyError`, another request has continued the upload, and nothing may
   * be written any more. Memory does not depend on the size of the content. `size` is the announced number of bytes, if
   * there is one.
   */
  append(
    location: string,
    handle: string,
    offset: number,
    content: AsyncIterable<Uint8Array>,
    size?: number,
  ): Promise<number>;
  /** The first bytes of the upload, at most `size`. It is called only while no more than 64 KiB have arrived. */
  head(location: string, handle: string, size: number): Promise<Buffer>;
  /** Makes the object of the bytes that have arrived. If the object exists already, it does nothing. */
  finish(location: string, handle: string): Promise<void>;
  /**
   * Removes the bytes of an unfinished upload at the location, even if the reply to `begin` was lost. The object of a
   * finished upload stays.
   */
  abort(location: string): Promise<void>;
  /**
   * Finishes an upload, to which nothing was appended, with the bytes of these objects, one after the other. The bytes
   * do not pass through the application. Resolves to `false`, without changes, if the storage cannot do this. Leave the
   * method out if it never can.
   */
  join?(location: string, handle: string, objects: readonly JoinedObject[]): Promise<boolean>;
}
