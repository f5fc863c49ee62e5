import { buffer } from 'node:stream/consumers';
import { Emulator } from './emulator.js';
import type { Resource } from './emulator.js';

/** An answer that is none of success. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

interface ToCreate {
  bucket: string;
  name: string;
  bytes: Buffer;
  resource: object;
  /** The generation that has to be there; `0` for none. */
  ifMatch: string | undefined;
}

/**
 * The objects of the emulator, with generations and conditions:
 * https://cloud.google.com/storage/docs/request-preconditions
 */
export class Objects {
  readonly emulator: Emulator;
  readonly #generations = new Map<string, number>();
  #latest = Date.now() * 1000;
  #last: Promise<unknown> = Promise.resolve();

  constructor(emulator: string) {
    this.emulator = new Emulator(emulator);
  }

  async get(bucket: string, name: string): Promise<Resource> {
    const found = await this.emulator.find(bucket, name);
    if (!found) throw new Refusal(404, `No such object: ${bucket}/${name}`);
    return this.#numbered(bucket, found);
  }

  async list(bucket: string, query: URLSearchParams): Promise<{ items?: Resource[]; nextPageToken?: string }> {
    const page = await this.emulator.list(bucket, query);
    return { ...page, ...(page.items && { items: page.items.map((item) => this.#numbered(bucket, item)) }) };
  }

  async remove(bucket: string, name: string): Promise<void> {
    await this.#alone(async () => {
      await this.get(bucket, name);
      await this.emulator.remove(bucket, name);
    });
  }

  async create(object: ToCreate): Promise<Resource> {
    return this.#alone(() => this.#create(object));
  }

  async copy({ bucket, from, to, resource, ifMatch }: Omit<ToCreate, 'name' | 'bytes'> & { from: string; to: string }) {
    return this.#alone(async () => {
      await this.#assertMatch(bucket, to, ifMatch);
      const made = await this.emulator.copy(bucket, from, to, resource);
      return this.#numbered(bucket, made, true);
    });
  }

  async compose({ sources, ...object }: Omit<ToCreate, 'bytes'> & { sources: (readonly [string, string?])[] }) {
    return this.#alone(async () => {
      const parts: Buffer[] = [];
      for (const [name, generation] of sources) {
        await this.get(object.bucket, name);
        await this.#assertMatch(object.bucket, name, generation);
        parts.push(await buffer(await this.emulator.read(object.bucket, name)));
      }
      return this.#create({ ...object, bytes: Buffer.concat(parts) });
    });
  }

  async #create({ bucket, name, bytes, resource, ifMatch }: ToCreate): Promise<Resource> {
    await this.#assertMatch(bucket, name, ifMatch);
    return this.#numbered(bucket, await this.emulator.store(bucket, name, bytes, resource), true);
  }

  async #assertMatch(bucket: string, name: string, ifMatch: string | undefined): Promise<void> {
    if (ifMatch === undefined) return;
    const found = await this.emulator.find(bucket, name);
    const generation = found ? this.#numbered(bucket, found).generation : '0';
    if (generation !== ifMatch)
      throw new Refusal(412, 'At least one of the pre-conditions you specified did not hold.');
  }

  /** The emulator's generation is a time: of two writes at once both have the same one. */
  #numbered(bucket: string, resource: Resource, isNew = false): Resource {
    const key = `${bucket}/${resource.name}`;
    if (isNew || !this.#generations.has(key)) this.#generations.set(key, ++this.#latest);
    return { ...resource, generation: String(this.#generations.get(key)) };
  }

  /** One after the other, so that a condition holds while an object is made. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
