import type { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import {
  CapabilityMissingError,
  LocationNotFoundError,
  LocationTakenError,
  StorageFailedError,
} from '../errors/storage.errors.js';
import { ContentSpentError } from '../errors/files.errors.js';
import { FilesError } from '../errors/files-error.js';
import { RangeInvalidError } from '../errors/requests.errors.js';
import { StorageMarkMismatchedError, StorageNamedTwiceError } from '../errors/setup.errors.js';
import { assertDownloadWay } from './delivery.js';
import type { CacheControl, CachedFile, DownloadWay } from './delivery.js';
import type { FileScanner } from './file-scanner.js';
import type { DirectUploadAdapter } from './direct-upload-adapter.js';
import { assertLocation } from './location.js';
import { shardedLocation } from './location-transformer.js';
import type { LocationInput, LocationTransformer } from './location-transformer.js';
import type { MarkPlace } from './mark-place.js';
import type { Bytes, ReadsTogether } from './reads-together.js';
import type { ResumableUploadAdapter } from './resumable-upload-adapter.js';
import type {
  ByteRange,
  Leftovers,
  LocatedObject,
  StorageAdapter,
  StoredObject,
  TemporaryUrlRequest,
} from './storage-adapter.js';
import { assertStorageScanner, readLimits } from './storage-limits.js';
import type { StorageLimits } from './storage-limits.js';
import type { StorageVerb } from './storage-verbs.js';
import type { CheckBytes, WritesTogether } from './writes-together.js';

// `ping()` asks for this location. No file is stored there; every answer shows that the storage works.
const NOWHERE = 'nestjs-files-ping';
const CHANGES: readonly StorageVerb[] = ['remove', 'copy', 'move', 'directUploads', 'resumableUploads'];

/** An adapter that has the verb. */
type Able<V extends StorageVerb> = StorageAdapter & Required<Pick<StorageAdapter, V>>;

/**
 * A named place for bytes: an adapter, and around it what is the same for every place: limits, the checks of locations,
 * supported operations and the mark, and the translation of errors.
 * @example new Storage(new BucketAdapter(bucket), { maxSize: '10MiB', acceptedTypes: ['image'] })
 */
export class Storage {
  /** Bytes; `undefined` means no limit. */
  readonly maxSize: number | undefined;
  /** Patterns for `matchesContentType`; `undefined` accepts everything. */
  readonly acceptedTypes: readonly string[] | undefined;
  /** An algorithm of `node:crypto`. */
  readonly hashAlgorithm: string;
  /** How the bytes of downloads get to clients. */
  readonly downloads: DownloadWay;
  /** Scans new content; `undefined` where it is not scanned. */
  readonly scanner: FileScanner | undefined;
  readonly #cacheControl: CacheControl;
  readonly #adapter: StorageAdapter;
  readonly #disabled: readonly StorageVerb[];
  readonly #locate: LocationTransformer;
  #mark: string | undefined;
  /** When the last successful reading of the mark began, in milliseconds of `performance.now()`. */
  #markedAt = -Infinity;
  #name: string | undefined;

  /** Throws `StorageOptionInvalidError` for an invalid limit. */
  constructor(adapter: StorageAdapter, limits: StorageLimits = {}) {
    const { maxSize, acceptedTypes, hashAlgorithm, disable } = readLimits(limits);
    this.maxSize = maxSize;
    this.acceptedTypes = acceptedTypes;
    this.hashAlgorithm = hashAlgorithm;
    this.#adapter = adapter;
    this.#disabled = disable;
    this.#locate = limits.location ?? shardedLocation;
    this.downloads = limits.downloads ?? 'proxy';
    this.#cacheControl = limits.cacheControl ?? 'private, no-cache';
    this.scanner = limits.scan;
    assertStorageScanner(this.scanner, this.can('publicUrl'));
    assertDownloadWay(this.downloads, { canSign: this.can('temporaryUrl'), hasPaths: adapter.pathOf !== undefined });
  }

  /** The name under which the storage is configured. */
  get name(): string {
    return this.#name ?? '(unnamed)';
  }

  /** Gives the storage its name, once. */
  assignName(name: string): void {
    if (this.#name !== undefined && this.#name !== name) throw new StorageNamedTwiceError(this.#name, name);
    this.#name = name;
  }

  /**
   * Whether the storage can do all of it: `storage.can('copy')`. Its adapter has the methods, and the option `disable`
   * does not name them.
   */
  can(...verbs: StorageVerb[]): boolean {
    return verbs.every((verb) => this.#adapter[verb] !== undefined && !this.#disabled.includes(verb));
  }

  /** Throws `CapabilityMissingError` with the missing verbs. */
  require(...verbs: StorageVerb[]): void {
    if (this.can(...verbs)) return;
    throw new CapabilityMissingError(
      this.name,
      verbs.filter((verb) => !this.can(verb)),
    );
  }

  /** Whether bytes are written and removed in the caller's transaction, so that they commit with their row. */
  get isTransactional(): boolean {
    return this.#adapter.isTransactional ?? false;
  }

  /** A location for new bytes, as the storage's transformer makes it. */
  locationFor(input: LocationInput): string {
    const location = this.#locate(input);
    this.assertLocation(location);
    return location;
  }

  /** Throws `LocationInvalidError` for an invalid location. */
  assertLocation(location: string): void {
    if (this.#adapter.assertLocation) this.#adapter.assertLocation(location);
    else assertLocation(location);
  }

  /** The default name of a file that is registered for existing bytes. */
  nameOf(location: string): string {
    return this.#adapter.nameOf?.(location) ?? location.slice(location.lastIndexOf('/') + 1);
  }

  /** Whether `Cache-Control` is chosen by the file. */
  get choosesCacheControl(): boolean {
    return typeof this.#cacheControl === 'function';
  }

  /** `Cache-Control` of a download. For a derived file, give the owner of its original. */
  cacheControlOf(file: CachedFile): string {
    return typeof this.#cacheControl === 'function' ? this.#cacheControl(file) : this.#cacheControl;
  }

  /** The bytes' path on this machine; `undefined` where nothing is there, or the storage has no paths. */
  async pathOf(location: string, reads?: ReadsTogether): Promise<string | undefined> {
    return this.#run('read', location, async (adapter) => (reads?.pathOf ? reads : adapter).pathOf?.(location));
  }

  /** The place of its mark; `undefined` for a storage that cannot be mistaken for another. */
  get markPlace(): MarkPlace | undefined {
    return this.#adapter.markPlace;
  }

  /**
   * From now on, removals, listings and writes look for this mark first. A write does not if the mark was found less
   * than `trustedFor` ago, or if it belongs to `beginWrites()`.
   * @internal
   */
  expectMark(mark: string): void {
    this.#mark = mark;
  }

  /**
   * Throws `StorageMarkMismatchedError` if the storage is not the place that it was at boot: it is not mounted any
   * more, or it belongs to another database now.
   */
  async assertMarked(): Promise<void> {
    try {
      await this.#compareMark();
    } catch (error) {
      throw this.#failure('read the mark of', this.markPlace?.place ?? '', error);
    }
  }

  /**
   * Makes the storage ready, so that a wrong option is found at boot. `FilesModule` calls it; without the module, call
   * it first.
   */
  async connect({ dataSource }: { dataSource?: DataSource | undefined } = {}): Promise<void> {
    await this.#adapter.connect?.({ name: this.name, maxSize: this.maxSize, dataSource });
  }

  /**
   * Asks the place for a sign of life, with one cheap request. Throws `StorageFailedError` if it does not answer, and
   * `StorageMarkMismatchedError` if it is not the place that it was at boot. `false` if there is no cheap way to ask:
   * the storage has no mark, and cannot `stat`.
   */
  async ping(): Promise<boolean> {
    const { markPlace } = this;
    try {
      if (this.#mark !== undefined) await this.#compareMark();
      else if (markPlace) await markPlace.read();
      else if (this.can('stat')) await this.#able('stat').stat(NOWHERE);
      else return false;
      return true;
    } catch (error) {
      throw this.#failure('ping', markPlace?.place ?? '', error);
    }
  }

  /**
   * Stores the content at a free location: `LocationTakenError` otherwise, also for the losers of a race. Either all of
   * the content is there afterwards or nothing is. The stream `content` is destroyed in any case. `ContentSpentError`
   * for a stream that was read before. With `writes`, the bytes are durable only when `finishWrites()` has resolved.
   */
  async write(location: string, content: Readable, writes?: WritesTogether): Promise<void> {
    // An error that the content emits without a listener must not end the process.
    content.on('error', () => {});
    try {
      if (content.readableDidRead) throw new ContentSpentError(`location "${location}" of storage "${this.name}"`);
      await this.#run('write', location, (adapter) => (writes ?? adapter).write(location, content), content, writes);
    } finally {
      content.destroy();
    }
  }

  /**
   * Begins writes that become durable together, when `finishWrites()` resolves. `undefined` if each write is durable by
   * itself. The mark is looked for now and at the end, instead of before each write.
   */
  async beginWrites(): Promise<WritesTogether | undefined> {
    const adapter = this.#able('write');
    if (adapter.beginWrites === undefined) return undefined;
    await this.assertMarked();
    return adapter.beginWrites();
  }

  /**
   * Links a file of this machine to the location (a hard link), without copying its bytes. `check` reads the bytes; its
   * error refuses them. Returns `false` if a link is not possible: then the caller has to write the bytes.
   */
  async link(path: string, location: string, writes: WritesTogether, check: CheckBytes): Promise<boolean> {
    const link = async () => writes.link?.(path, location, check) ?? false;
    return this.#run('write', location, link, undefined, writes);
  }

  /** Resolves when the bytes of all writes are durable. */
  async finishWrites(writes: WritesTogether): Promise<void> {
    try {
      await writes.finish();
      // If the mark has changed, the bytes may have been written to another place.
      await this.#compareMark();
    } catch (error) {
      throw this.#failure('finish writes', '', error);
    }
  }

  /**
   * Opens the bytes, or a range of them. A range that goes past the last byte is shortened. Throws
   * `LocationNotFoundError` if nothing is there. The caller has to consume or destroy the stream.
   */
  async read(location: string, range?: ByteRange): Promise<Readable> {
    if (range !== undefined) assertRange(range);
    return this.#run('read', location, (adapter) => adapter.read(location, range));
  }

  /** Begins reads of many objects; `undefined` if the storage reads one by one, or cannot read. */
  beginReads(): ReadsTogether | undefined {
    return this.can('read') ? this.#able('read').beginReads?.() : undefined;
  }

  /** As `read`, of all bytes, as one of the reads that `beginReads()` began. */
  async readTogether(location: string, reads: ReadsTogether | undefined): Promise<Bytes> {
    return reads ? this.#run('read', location, () => reads.read(location)) : this.read(location);
  }

  /** Deletes the bytes. A missing object is a no-op. */
  async remove(location: string): Promise<void> {
    return this.#run('remove', location, (adapter) => adapter.remove(location));
  }

  /** Whether it deletes the bytes at many locations in fewer steps than one for each. */
  get removesTogether(): boolean {
    return this.#adapter.removeAll !== undefined;
  }

  /**
   * Deletes the bytes at all of the locations; missing ones are no-ops. Where the storage can, in fewer steps than one
   * for each.
   */
  async removeAll(locations: readonly string[]): Promise<void> {
    for (const location of locations) this.assertLocation(location);
    const [first] = locations;
    if (first === undefined) return;
    return this.#run('remove', first, async (adapter) => {
      if (adapter.removeAll) return adapter.removeAll(locations);
      for (const location of locations) await adapter.remove(location);
    });
  }

  /** Whether bytes are there. */
  async exists(location: string): Promise<boolean> {
    return (await this.stat(location)) !== undefined;
  }

  /** The facts about the bytes that are known without reading them; `undefined` if there are no bytes. */
  async stat(location: string): Promise<StoredObject | undefined> {
    return this.#run('stat', location, async (adapter) => {
      const found = await adapter.stat(location);
      // Either no bytes are there, or this is not the right place. The mark tells which.
      if (found === undefined) await this.#compareMark();
      return found;
    });
  }

  /** Copies the bytes without them passing through here. As `write`, it never overwrites; onto itself it is a no-op. */
  async copy(from: string, to: string): Promise<void> {
    return this.#transfer('copy', from, to);
  }

  /** As `copy`, and nothing is left at the old location. */
  async move(from: string, to: string): Promise<void> {
    return this.#transfer('move', from, to);
  }

  /** All objects, or those below a directory, in any order. Objects that come or go meanwhile may be seen or not. */
  async *list(directory?: string): AsyncGenerator<LocatedObject, void> {
    const adapter = this.#able('list');
    if (directory !== undefined) this.assertLocation(directory);
    try {
      await this.#compareMark();
      yield* adapter.list(directory);
    } catch (error) {
      throw this.#failure('list', directory ?? '', error);
    }
  }

  /** A permanent address, from which everybody can read the bytes. */
  async publicUrl(location: string): Promise<string> {
    return this.#run('publicUrl', location, (adapter) => adapter.publicUrl(location));
  }

  /** An address from which everybody who knows it can read the bytes until it expires. */
  async temporaryUrl(location: string, request: TemporaryUrlRequest): Promise<string> {
    return this.#run('temporaryUrl', location, (adapter) => adapter.temporaryUrl(location, request));
  }

  /**
   * Calls the adapter of direct uploads for an upload to the location:
   * `storage.direct(location, (uploads) => uploads.abort(location))`.
   */
  async direct<T>(location: string, work: (uploads: DirectUploadAdapter) => Promise<T>): Promise<T> {
    return this.#run('directUploads', location, (adapter) => work(adapter.directUploads));
  }

  /**
   * Calls the adapter of resumable uploads for an upload to the location:
   * `storage.resumable(location, (uploads) => uploads.abort(location))`.
   */
  async resumable<T>(location: string, work: (uploads: ResumableUploadAdapter) => Promise<T>): Promise<T> {
    return this.#run('resumableUploads', location, (adapter) => work(adapter.resumableUploads));
  }

  /**
   * Removes what interrupted writes left behind earlier than `before`. Does nothing if the storage has no such
   * leftovers. Once the signal is aborted, it leaves the rest, and resolves with what is removed.
   */
  async removeLeftovers(before: Date, signal?: AbortSignal): Promise<Leftovers> {
    try {
      await this.#compareMark();
      return (await this.#adapter.removeLeftovers?.(before, signal)) ?? { count: 0, size: 0 };
    } catch (error) {
      throw this.#failure('remove leftovers', '', error);
    }
  }

  /**
   * Whether the mark was found so recently that a write need not look for it again. Removals always look: bytes that
   * are written to a wrong place are only left over, but bytes that are removed there are lost.
   */
  get #isMarkTrusted(): boolean {
    return performance.now() - this.#markedAt < (this.markPlace?.trustedFor ?? 0);
  }

  async #compareMark(): Promise<void> {
    if (this.#mark === undefined) return;
    const { markPlace } = this;
    if (markPlace === undefined) return;
    const asked = performance.now();
    const found = await markPlace.read();
    if (found === this.#mark) {
      this.#markedAt = asked;
      return;
    }
    const reason =
      found === undefined
        ? 'its mark is not there any more. Is it mounted?'
        : 'its mark has changed: another database has adopted it, or something else is mounted there.';
    throw new StorageMarkMismatchedError(this.name, markPlace.place, reason);
  }

  #able<V extends StorageVerb>(verb: V): Able<V> {
    this.require(verb);
    return this.#adapter as Able<V>;
  }

  async #transfer(verb: 'copy' | 'move', from: string, to: string): Promise<void> {
    await this.#run(verb, from, async (adapter) => {
      this.assertLocation(to);
      if (from !== to) await adapter[verb](from, to);
    });
  }

  async #run<V extends StorageVerb, T>(
    verb: V,
    location: string,
    work: (adapter: Able<V>) => Promise<T>,
    content?: Readable,
    writes?: WritesTogether,
  ): Promise<T> {
    const adapter = this.#able(verb);
    this.assertLocation(location);
    try {
      const isToBeMarked = verb === 'write' ? writes === undefined && !this.#isMarkTrusted : CHANGES.includes(verb);
      if (isToBeMarked) await this.#compareMark();
      return await work(adapter);
    } catch (error) {
      if (error instanceof LocationNotFoundError) await this.#compareMark();
      if (content !== undefined && isFaultOf(content, error)) throw error;
      throw this.#failure(verb, location, error);
    }
  }

  #failure(operation: string, location: string, error: unknown): FilesError {
    if (error instanceof LocationTakenError || error instanceof LocationNotFoundError) return error.of(this.name);
    return error instanceof FilesError ? error : new StorageFailedError(this.name, operation, location, error);
  }
}

function isFaultOf(content: Readable, error: unknown): boolean {
  if (content.errored === error) return true;
  // It was cut off. Clients of clouds give the same code for an answer that was.
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ERR_STREAM_PREMATURE_CLOSE' && content.readableAborted;
}

function assertRange({ start, end }: ByteRange): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new RangeInvalidError(start, end);
  }
}
