import type { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import { CapabilityMissingError, LocationNotFoundError, StorageFailedError } from '../errors/storage.errors.js';
import { ContentSpentError } from '../errors/files.errors.js';
import { FilesError } from '../errors/files-error.js';
import { RangeInvalidError } from '../errors/requests.errors.js';
import { StorageMarkMismatchedError, StorageNamedTwiceError } from '../errors/setup.errors.js';
import { Capability, capabilityNames } from './capability.js';
import { assertLocation } from './location.js';
import { shardedLocation } from './location-transformer.js';
import type { LocationInput, LocationTransformer } from './location-transformer.js';
import type { MarkPlace } from './mark-place.js';
import { readLimits } from './storage-limits.js';
import type { StorageLimits } from './storage-limits.js';

const CHANGES = ['write', 'remove', 'copy', 'move'];

/** Both ends are included, as in HTTP: `{ start: 0, end: 9 }` is the first ten bytes. */
export interface ByteRange {
  /** The first byte; the first of all is 0. */
  start: number;
  /** The last byte, itself included. */
  end: number;
}

/** What is known about bytes without reading them. */
export interface StoredObject {
  /** Bytes. */
  size: number;
  /** When the bytes were written. */
  modifiedAt: Date;
}

/** One object of a scan. */
export interface LocatedObject extends StoredObject {
  /** Where in the storage. */
  location: string;
}

/** What the module tells its storages at boot. */
export interface StorageContext {
  /** The data source that has the files' rows. */
  dataSource?: DataSource;
}

/** What a clean-up removed. */
export interface Leftovers {
  /** How many. */
  count: number;
  /** Bytes. */
  size: number;
}

/**
 * A named place for bytes. An adapter extends it and implements what its capabilities say: `put` (CREATE), `open` (STREAM, RANGE),
 * `erase` (REMOVE), `inspect` (EXISTS), `duplicate` (COPY), `relocate` (MOVE), `list` (SCAN), `publicLink` (LINK_PERMANENT). The public
 * methods check the capability and the location, and wrap what fails unexpectedly in a `StorageFailedError`.
 */
export abstract class Storage {
  /** What it can do: what the adapter provides, without what the option `disable` takes away. */
  readonly capabilities: Capability;
  /** Bytes; `undefined` is no limit. */
  readonly maxSize: number | undefined;
  /** Patterns for `matchesContentType`; `undefined` accepts everything. */
  readonly acceptedTypes: readonly string[] | undefined;
  /** An algorithm of `node:crypto`. */
  readonly hashAlgorithm: string;
  readonly #locate: LocationTransformer;
  #mark: string | undefined;
  #name: string | undefined;

  protected constructor(provided: Capability, limits: StorageLimits = {}) {
    const { maxSize, acceptedTypes, hashAlgorithm } = readLimits(limits);
    this.capabilities = provided & ~(limits.disable ?? Capability.NONE);
    this.maxSize = maxSize;
    this.acceptedTypes = acceptedTypes;
    this.hashAlgorithm = hashAlgorithm;
    this.#locate = limits.location ?? shardedLocation;
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

  /** Whether the storage can do all of it: `storage.supports(Capability.STREAM | Capability.RANGE)`. */
  supports(capabilities: Capability): boolean {
    return (this.capabilities & capabilities) === capabilities;
  }

  /** Throws `CapabilityMissingError` naming what is missing. */
  require(capabilities: Capability): void {
    if (this.supports(capabilities)) return;
    throw new CapabilityMissingError(this.name, capabilityNames(capabilities & ~this.capabilities));
  }

  /** Whether bytes are written and removed in the caller's transaction, so that they commit with their row. */
  get isTransactional(): boolean {
    return false;
  }

  /** A location for new bytes, as the storage's transformer makes it. */
  locationFor(input: LocationInput): string {
    const location = this.#locate(input);
    this.assertLocation(location);
    return location;
  }

  /** Throws `LocationInvalidError` for what can be no location here. */
  assertLocation(location: string): void {
    assertLocation(location);
  }

  /** What a file of bytes that are there already is called, if nobody says. */
  nameOf(location: string): string {
    return location.slice(location.lastIndexOf('/') + 1);
  }

  /** Where its mark is; `undefined` for a storage that can be no other place than the one it is taken for. */
  get markPlace(): MarkPlace | undefined {
    return undefined;
  }

  /**
   * From now on, whatever writes, removes or scans looks for this mark first.
   * @internal
   */
  expectMark(mark: string): void {
    this.#mark = mark;
  }

  /** Throws `StorageMarkMismatchedError` where the storage is not the place that it was at boot: it is not mounted any more, or another database's. */
  async assertMarked(): Promise<void> {
    const { markPlace } = this;
    if (this.#mark === undefined || markPlace === undefined) return;
    const found = await markPlace.read();
    if (found === this.#mark) return;
    const reason =
      found === undefined
        ? 'its mark is not there any more. Is it mounted?'
        : 'its mark has changed: another database has adopted it, or something else is mounted there.';
    throw new StorageMarkMismatchedError(this.name, markPlace.place, reason);
  }

  /** Makes the storage ready at boot, so that a wrong option is found there. */
  async prepare(_context?: StorageContext): Promise<void> {}

  /**
   * Stores the content at a location where nothing is: `LocationTakenError` otherwise, also for the losers of a race.
   * Either all of the content is there afterwards or nothing is. A failed write destroys the content. `ContentSpentError` for a stream that
   * was read before.
   */
  async write(location: string, content: Readable): Promise<void> {
    // What the content emits when nobody listens any more must not become an uncaught error.
    content.on('error', () => {});
    try {
      if (content.readableDidRead) throw new ContentSpentError(`location "${location}" of storage "${this.name}"`);
      await this.#run('write', Capability.CREATE, location, () => this.put(location, content), content);
    } finally {
      content.destroy();
    }
  }

  /** Opens the bytes, or a range of them, cut at their end. Nothing there: `LocationNotFoundError`. Who gets the stream has to consume or destroy it. */
  async read(location: string, range?: ByteRange): Promise<Readable> {
    const needed = range === undefined ? Capability.STREAM : Capability.STREAM | Capability.RANGE;
    if (range !== undefined) assertRange(range);
    return this.#run('read', needed, location, () => this.open(location, range));
  }

  /** Deletes the bytes. A missing object is a no-op. */
  async remove(location: string): Promise<void> {
    return this.#run('remove', Capability.REMOVE, location, () => this.erase(location));
  }

  /** Deletes the bytes at all of the locations; missing ones are no-ops. Where the storage can, in fewer steps than one for each. */
  async removeAll(locations: readonly string[]): Promise<void> {
    for (const location of locations) this.assertLocation(location);
    if (locations.length === 0) return;
    const [first = ''] = locations;
    return this.#run('remove', Capability.REMOVE, first, () => this.eraseAll(locations));
  }

  /** Whether bytes are there. */
  async exists(location: string): Promise<boolean> {
    return (await this.stat(location)) !== undefined;
  }

  /** What is known about the bytes without reading them; `undefined` when nothing is there. */
  async stat(location: string): Promise<StoredObject | undefined> {
    return this.#run('stat', Capability.EXISTS, location, () => this.inspect(location));
  }

  /** Copies the bytes without them passing through here. As `write`, it never overwrites; onto itself it is a no-op. */
  async copy(from: string, to: string): Promise<void> {
    return this.#transfer('copy', Capability.COPY, from, to, () => this.duplicate(from, to));
  }

  /** As `copy`, and nothing is left at the old location. */
  async move(from: string, to: string): Promise<void> {
    return this.#transfer('move', Capability.MOVE, from, to, () => this.relocate(from, to));
  }

  /** All objects, or those below a directory, in any order. What comes and goes meanwhile may be seen or not. */
  async *scan(directory?: string): AsyncGenerator<LocatedObject, void> {
    this.require(Capability.SCAN);
    if (directory !== undefined) this.assertLocation(directory);
    try {
      await this.assertMarked();
      yield* this.list(directory);
    } catch (error) {
      throw this.#failure('scan', directory ?? '', error);
    }
  }

  /** An address where everybody who knows it can read the bytes for as long as they are there. */
  async permanentLink(location: string): Promise<string> {
    return this.#run('link', Capability.LINK_PERMANENT, location, () => this.publicLink(location));
  }

  /** Removes what writes that never ended have left, if it is older; a storage without such leftovers does nothing. */
  async removeLeftovers(before: Date): Promise<Leftovers> {
    try {
      await this.assertMarked();
      return await this.purge(before);
    } catch (error) {
      throw this.#failure('remove leftovers', '', error);
    }
  }

  /** Stores all of the content or nothing; throws `LocationTakenError` instead of overwriting. */
  protected abstract put(location: string, content: Readable): Promise<void>;
  /** Resolves once reading can begin; throws `LocationNotFoundError`. */
  protected abstract open(location: string, range: ByteRange | undefined): Promise<Readable>;
  /** Deletes the bytes; nothing there is a no-op. */
  protected abstract erase(location: string): Promise<void>;
  /** As `erase`, for several. */
  protected async eraseAll(locations: readonly string[]): Promise<void> {
    for (const location of locations) await this.erase(location);
  }
  /** Size and date; `undefined` where nothing is. */
  protected abstract inspect(location: string): Promise<StoredObject | undefined>;

  /** Throws `LocationNotFoundError` and `LocationTakenError`. */
  protected duplicate(_from: string, _to: string): Promise<void> {
    return Promise.reject(new CapabilityMissingError(this.name, ['COPY']));
  }

  /** Throws `LocationNotFoundError` and `LocationTakenError`. */
  protected relocate(_from: string, _to: string): Promise<void> {
    return Promise.reject(new CapabilityMissingError(this.name, ['MOVE']));
  }

  /** All objects, or those below a directory, in any order. */
  protected list(_directory: string | undefined): AsyncIterable<LocatedObject> {
    throw new CapabilityMissingError(this.name, ['SCAN']);
  }

  /** The address of the bytes. */
  protected publicLink(_location: string): Promise<string> {
    return Promise.reject(new CapabilityMissingError(this.name, ['LINK_PERMANENT']));
  }

  /** Removes what writes that never ended have left, if it is older. */
  protected purge(_before: Date): Promise<Leftovers> {
    return Promise.resolve({ count: 0, size: 0 });
  }

  async #transfer(
    name: string,
    needed: Capability,
    from: string,
    to: string,
    work: () => Promise<void>,
  ): Promise<void> {
    await this.#run(name, needed, from, async () => {
      this.assertLocation(to);
      if (from !== to) await work();
    });
  }

  async #run<T>(
    name: string,
    needed: Capability,
    location: string,
    work: () => Promise<T>,
    content?: Readable,
  ): Promise<T> {
    this.require(needed);
    this.assertLocation(location);
    try {
      if (CHANGES.includes(name)) await this.assertMarked();
      const result = await work();
      // Nothing is there, or not the place.
      if (result === undefined && name === 'stat') await this.assertMarked();
      return result;
    } catch (error) {
      if (error instanceof LocationNotFoundError) await this.assertMarked();
      if (content !== undefined && isFaultOf(content, error)) throw error;
      throw this.#failure(name, location, error);
    }
  }

  #failure(name: string, location: string, error: unknown): FilesError {
    return error instanceof FilesError ? error : new StorageFailedError(this.name, name, location, error);
  }
}

function isFaultOf(content: Readable, error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return content.errored === error || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function assertRange({ start, end }: ByteRange): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new RangeInvalidError(start, end);
  }
}
