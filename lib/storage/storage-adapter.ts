import type { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import type { DirectUploadAdapter } from './direct-upload-adapter.js';
import type { MarkPlace } from './mark-place.js';
import type { ReadsTogether } from './reads-together.js';
import type { ResumableUploadAdapter } from './resumable-upload-adapter.js';
import type { WritesTogether } from './writes-together.js';

/**
 * Writes, reads and removes bytes in one place. `new Storage(adapter)` makes a storage of it.
 *
 * The verbs come first. All are optional: the adapter supports those that it has a method for. The storage checks
 * locations and ranges before it calls a verb. It never calls `copy` or `move` with equal locations. It checks the mark
 * before each change; a write may rely on a recent check (`MarkPlace.trustedFor`). If a verb throws, the caller gets a
 * `StorageFailedError` with this error as its cause; errors of this library and errors of the content are passed on.
 * Sizes are in bytes.
 */
export interface StorageAdapter {
  /**
   * Stores all of the content, or nothing: a part of it is never visible, and nothing is left when it fails. Resolves
   * when the bytes are as durable as the place promises.
   * - If something is already there, throws `LocationTakenError`, at the latest when the content ends. Bytes are never
   *   overwritten; of several writes at once exactly one wins, and the others throw the same.
   * - If the content fails or ends early, throws its error, like `for await`. The storage destroys the content.
   * - If the place has directories, and `a` of `a/b` is a file, throws `LocationInvalidError`. A place without
   *   directories keeps both.
   */
  write?(location: string, content: Readable): Promise<void>;
  /**
   * All bytes, or those of the range: `start` and `end` are included, and a range past the last byte is shortened. A
   * source that can only be read from its beginning is cut by `cutToRange(content, range)`. Resolves once reading can
   * begin; destroying the stream frees all that it holds. The reader may change the chunks.
   * - If nothing is there, throws `LocationNotFoundError`, before the first byte.
   */
  read?(location: string, range?: ByteRange): Promise<Readable>;
  /** Deletes the bytes, so that the location can be written again. If nothing is there, does nothing. */
  remove?(location: string): Promise<void>;
  /** Size and date, without reading the bytes; `undefined` if nothing is there. */
  stat?(location: string): Promise<StoredObject | undefined>;
  /**
   * Like `write`, but takes the bytes at `from`. They do not pass through the application.
   * - If nothing is at `from`, throws `LocationNotFoundError`, and nothing is at `to` either.
   * - If something is at `to`, throws `LocationTakenError`, and both stay as they are.
   */
  copy?(from: string, to: string): Promise<void>;
  /** Like `copy`, but nothing is at `from` afterwards. If it fails, the bytes are still at `from`. */
  move?(from: string, to: string): Promise<void>;
  /**
   * All objects, each once, in any order. With `directory`, only those below it: `list('a')` gives `a/b` and `a/b/c`,
   * but not `ab/c`. Marks and unfinished writes are not listed. Objects that come or go meanwhile may be seen or not. A
   * missing directory has none.
   */
  list?(directory?: string): AsyncIterable<LocatedObject>;
  /** A permanent address, from which everybody can read the bytes. */
  publicUrl?(location: string): Promise<string>;
  /** An address from which everybody who knows it can read the bytes until it expires, without the application. */
  temporaryUrl?(location: string, request: TemporaryUrlRequest): Promise<string>;
  /** Takes bytes directly from clients. */
  readonly directUploads?: DirectUploadAdapter;
  /** Takes a file in several requests, each of which goes on where the one before has stopped. */
  readonly resumableUploads?: ResumableUploadAdapter;

  /**
   * Called at boot, before any verb: makes the place ready, and throws if an option is wrong. Nothing is called at
   * shutdown: if a client must be closed, the application creates it and closes it.
   */
  connect?(context: StorageContext): Promise<void>;
  /**
   * Whether bytes are written and removed in the caller's transaction, so that they commit with their row.
   * @default false
   */
  readonly isTransactional?: boolean;
  /**
   * The place of the mark. An adapter needs it if its bytes survive the process outside of the database, at a path or
   * under a name that may later point to another place, like a mount or a bucket. @default no mark
   */
  readonly markPlace?: MarkPlace;
  /**
   * Throws `LocationInvalidError` for an invalid location. It replaces the exported `assertLocation`. If the locations
   * are paths, it calls that function first. If the mark and unfinished writes are stored beside the objects, it
   * refuses their locations, too.
   * @default the exported `assertLocation`: relative paths of plain segments
   */
  assertLocation?(location: string): void;
  /**
   * The bytes' path on this machine, for the web server in front of the application; `undefined` if nothing is there.
   */
  pathOf?(location: string): Promise<string | undefined>;
  /** The default name of a file that is registered for existing bytes. @default the last segment of the location */
  nameOf?(location: string): string;
  /** As `remove`, for several, in fewer steps than one for each. @default `remove`, one after the other */
  removeAll?(locations: readonly string[]): Promise<void>;
  /**
   * Begins reads of many objects, if together they take fewer steps than one by one. @default `read` and `pathOf`, one
   * by one
   */
  beginReads?(): ReadsTogether;
  /**
   * Begins writes of many objects that become durable together, if that takes fewer steps than one by one.
   * @default each is durable when `write` resolves
   */
  beginWrites?(): WritesTogether;
  /**
   * Removes what interrupted writes left behind before this time. The signal is aborted when a shutdown waits: the
   * method then leaves the rest to a later call, and resolves with what it has removed. @default there are none
   */
  removeLeftovers?(before: Date, signal?: AbortSignal): Promise<Leftovers>;
}

/** Both ends are included, as in HTTP: `{ start: 0, end: 9 }` is the first ten bytes. */
export interface ByteRange {
  /** The first byte; the first of all is 0. */
  start: number;
  /** The last byte, itself included. */
  end: number;
}

/** The facts about bytes that are known without reading them. */
export interface StoredObject {
  /** Bytes. */
  size: number;
  /** When the bytes were written. */
  modifiedAt: Date;
}

/** One object of a list. */
export interface LocatedObject extends StoredObject {
  /** Where in the storage. */
  location: string;
}

/** The requirements for a temporary address. */
export interface TemporaryUrlRequest {
  /** When the address expires. */
  expiresAt: Date;
  /** `attachment` to be saved, `inline` to be shown. */
  disposition: 'attachment' | 'inline';
  /** The name of the file. */
  name: string;
  /** The `Content-Type` of the answer. */
  contentType: string;
  /** The `Cache-Control` of the answer. @default that of the storage */
  cacheControl?: string | undefined;
}

/** The facts that an adapter gets at boot. */
export interface StorageContext {
  /** The name under which the storage is configured. */
  name: string;
  /**
   * Bytes; `undefined` means no limit. The library enforces the limit, so most adapters can ignore it. An adapter that
   * holds a whole file in memory may need it.
   */
  maxSize: number | undefined;
  /** The data source that has the files' rows. */
  dataSource: DataSource | undefined;
}

/** The result of a clean-up. */
export interface Leftovers {
  /** How many. */
  count: number;
  /** Bytes. */
  size: number;
}
