import type { Readable } from 'node:stream';
import type { DirectUploadAdapter } from '../storage/direct-upload-adapter.js';
import type { ResumableUploadAdapter } from '../storage/resumable-upload-adapter.js';
import type { LocatedObject, StorageAdapter } from '../storage/storage-adapter.js';
import { STORAGE_VERBS } from '../storage/storage-verbs.js';
import { Storage } from '../storage/storage.js';

/** When a call fails: before it did anything, or after it did everything, as when only the answer is lost. */
export type FaultMoment = 'before' | 'after';

interface Fault {
  first: number;
  last: number;
  moment: FaultMoment;
  error: Error;
}

/**
 * A storage that fails when it is told to:
 * `const storage = faultyStorage(memoryStorage()); storage.failAt(2, 'after');` makes the second call from there do its
 * work and fail nevertheless.
 */
export function faultyStorage(inner: Storage): FaultyStorage {
  return new FaultyStorage(inner);
}

/** Wraps a storage, so that what an application does about its failures can be tested. */
export class FaultyStorage extends Storage {
  readonly #inner: Storage;
  readonly #faults: Faults;

  constructor(inner: Storage) {
    const { maxSize = Infinity, acceptedTypes, hashAlgorithm, downloads, scanner } = inner;
    const faults = new Faults();
    super(faultyAdapter(inner, faults), {
      maxSize,
      acceptedTypes,
      hashAlgorithm,
      downloads,
      ...(scanner && { scan: scanner }),
      cacheControl: (file) => inner.cacheControlOf(file),
      location: (input) => inner.locationFor(input),
      disable: STORAGE_VERBS.filter((verb) => !inner.can(verb)),
    });
    this.#inner = inner;
    this.#faults = faults;
  }

  /** The calls, in order: `['write ab/cd', 'remove ab/cd']`. */
  get calls(): readonly string[] {
    return this.#faults.calls;
  }

  /** Makes the n-th call from now fail, once; the first is 1. */
  failAt(call: number, moment: FaultMoment, error = new Error('a fault that was asked for')): void {
    this.#faults.expect({ first: call, last: call, moment, error });
  }

  /**
   * Makes the n-th call from now fail, and all that come after it before they do anything: as when the storage is gone.
   */
  failFrom(call: number, moment: FaultMoment, error = new Error('a fault that was asked for')): void {
    this.#faults.expect({ first: call, last: Number.POSITIVE_INFINITY, moment, error });
  }

  /** Makes it work again. */
  heal(): void {
    this.#faults.expect(undefined);
  }

  override assignName(name: string): void {
    this.#inner.assignName(name);
    super.assignName(name);
  }
}

/** Counts calls, and lets some of them fail. */
class Faults {
  readonly calls: string[] = [];
  #fault: Fault | undefined;
  #count = 0;

  expect(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#count = 0;
  }

  async call<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.calls.push(what);
    this.#count++;
    const fault = this.#fault;
    if (fault === undefined || this.#count < fault.first || this.#count > fault.last) return work();
    if (fault.moment === 'after' && this.#count === fault.first) {
      const result = await work();
      if (isReadable(result)) result.destroy();
    }
    throw fault.error;
  }
}

function faultyAdapter(inner: Storage, faults: Faults): StorageAdapter {
  return {
    isTransactional: inner.isTransactional,
    get markPlace() {
      return inner.markPlace;
    },
    connect: ({ dataSource }) => inner.connect({ dataSource }),
    assertLocation: (location) => inner.assertLocation(location),
    nameOf: (location) => inner.nameOf(location),
    pathOf: (location) => inner.pathOf(location),
    write: (location, content) => faults.call(`write ${location}`, () => inner.write(location, content)),
    read: (location, range) => faults.call(`read ${location}`, () => inner.read(location, range)),
    remove: (location) => faults.call(`remove ${location}`, () => inner.remove(location)),
    stat: (location) => faults.call(`stat ${location}`, () => inner.stat(location)),
    copy: (from, to) => faults.call(`copy ${from} ${to}`, () => inner.copy(from, to)),
    move: (from, to) => faults.call(`move ${from} ${to}`, () => inner.move(from, to)),
    async *list(directory): AsyncGenerator<LocatedObject, void> {
      await faults.call(`list ${directory ?? ''}`.trim(), () => Promise.resolve());
      yield* inner.list(directory);
    },
    publicUrl: (location) => faults.call(`publicUrl ${location}`, () => inner.publicUrl(location)),
    temporaryUrl: (location, request) =>
      faults.call(`temporaryUrl ${location}`, () => inner.temporaryUrl(location, request)),
    directUploads: directUploadsOf(inner, faults),
    resumableUploads: resumableUploadsOf(inner, faults),
    removeLeftovers: (before, signal) => faults.call('remove leftovers', () => inner.removeLeftovers(before, signal)),
  };
}

function directUploadsOf(inner: Storage, faults: Faults): DirectUploadAdapter {
  const direct = <T>(what: string, location: string, work: (uploads: DirectUploadAdapter) => Promise<T>): Promise<T> =>
    faults.call(`${what} ${location}`, () => inner.direct(location, work));
  return {
    begin: (location, size) => direct('begin', location, (place) => place.begin(location, size)),
    sign: (location, upload, part) => direct('sign', location, (place) => place.sign(location, upload, part)),
    parts: (location, upload) => direct('parts', location, (place) => place.parts(location, upload)),
    finish: (location, upload, parts) => direct('finish', location, (place) => place.finish(location, upload, parts)),
    abort: (location) => direct('abort', location, (place) => place.abort(location)),
  };
}

function resumableUploadsOf(inner: Storage, faults: Faults): ResumableUploadAdapter {
  const resumable = <T>(
    what: string,
    location: string,
    work: (uploads: ResumableUploadAdapter) => Promise<T>,
  ): Promise<T> => faults.call(`${what} ${location}`, () => inner.resumable(location, work));
  return {
    begin: (at, length) => resumable('begin', at, (place) => place.begin(at, length)),
    offset: (at, handle) => resumable('offset', at, (place) => place.offset(at, handle)),
    append: (at, handle, offset, content, size) =>
      resumable('append', at, (place) => place.append(at, handle, offset, content, size)),
    head: (at, handle, size) => resumable('head', at, (place) => place.head(at, handle, size)),
    finish: (at, handle) => resumable('finish', at, (place) => place.finish(at, handle)),
    abort: (at) => resumable('abort', at, (place) => place.abort(at)),
    join: (at, handle, objects) =>
      resumable('join', at, async (place) => (await place.join?.(at, handle, objects)) ?? false),
  };
}

function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && 'destroy' in value;
}
