import type { Readable } from 'node:stream';
import type { MarkPlace } from '../storage/mark-place.js';
import { Storage } from '../storage/storage.js';
import type { ByteRange, Leftovers, LocatedObject, StorageContext, StoredObject } from '../storage/storage.js';
import type { LocationInput } from '../storage/location-transformer.js';

/** When a call fails: before it did anything, or after it did everything, as when only the answer is lost. */
export type FaultMoment = 'before' | 'after';

interface Fault {
  first: number;
  last: number;
  moment: FaultMoment;
  error: Error;
}

/**
 * A storage that fails when it is told to: `const storage = faultyStorage(memoryStorage()); storage.failAt(2, 'after');` makes the
 * second call from there do its work and fail nevertheless.
 */
export function faultyStorage(inner: Storage): FaultyStorage {
  return new FaultyStorage(inner);
}

/** Wraps a storage, so that what an application does about its failures can be tested. */
export class FaultyStorage extends Storage {
  readonly #calls: string[] = [];
  #fault: Fault | undefined;
  #count = 0;

  constructor(private readonly inner: Storage) {
    const { maxSize = Infinity, acceptedTypes, hashAlgorithm } = inner;
    super(inner.capabilities, { maxSize, acceptedTypes, hashAlgorithm });
  }

  /** What was called, in order: `['write ab/cd', 'remove ab/cd']`. */
  get calls(): readonly string[] {
    return this.#calls;
  }

  /** Makes the n-th call from now fail, once; the first is 1. */
  failAt(call: number, moment: FaultMoment, error = new Error('a fault that was asked for')): void {
    [this.#fault, this.#count] = [{ first: call, last: call, moment, error }, 0];
  }

  /** Makes the n-th call from now fail, and all that come after it before they do anything: as when the storage is gone. */
  failFrom(call: number, moment: FaultMoment, error = new Error('a fault that was asked for')): void {
    [this.#fault, this.#count] = [{ first: call, last: Number.POSITIVE_INFINITY, moment, error }, 0];
  }

  /** Makes it work again. */
  heal(): void {
    this.#fault = undefined;
  }

  override get isTransactional(): boolean {
    return this.inner.isTransactional;
  }

  override get markPlace(): MarkPlace | undefined {
    return this.inner.markPlace;
  }

  override assignName(name: string): void {
    this.inner.assignName(name);
    super.assignName(name);
  }

  override locationFor(input: LocationInput): string {
    return this.inner.locationFor(input);
  }

  override assertLocation(location: string): void {
    this.inner.assertLocation(location);
  }

  override nameOf(location: string): string {
    return this.inner.nameOf(location);
  }

  override prepare(context?: StorageContext): Promise<void> {
    return this.inner.prepare(context);
  }

  protected put(location: string, content: Readable): Promise<void> {
    return this.#call(`write ${location}`, () => this.inner.write(location, content));
  }

  protected open(location: string, range: ByteRange | undefined): Promise<Readable> {
    return this.#call(`read ${location}`, () => this.inner.read(location, range));
  }

  protected erase(location: string): Promise<void> {
    return this.#call(`remove ${location}`, () => this.inner.remove(location));
  }

  protected inspect(location: string): Promise<StoredObject | undefined> {
    return this.#call(`stat ${location}`, () => this.inner.stat(location));
  }

  protected override duplicate(from: string, to: string): Promise<void> {
    return this.#call(`copy ${from} ${to}`, () => this.inner.copy(from, to));
  }

  protected override relocate(from: string, to: string): Promise<void> {
    return this.#call(`move ${from} ${to}`, () => this.inner.move(from, to));
  }

  protected override async *list(directory: string | undefined): AsyncGenerator<LocatedObject, void> {
    await this.#call(`scan ${directory ?? ''}`.trim(), () => Promise.resolve());
    yield* this.inner.scan(directory);
  }

  protected override publicLink(location: string): Promise<string> {
    return this.#call(`link ${location}`, () => this.inner.permanentLink(location));
  }

  protected override purge(before: Date): Promise<Leftovers> {
    return this.#call('remove leftovers', () => this.inner.removeLeftovers(before));
  }

  async #call<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#calls.push(what);
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

function isReadable(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && 'destroy' in value;
}
