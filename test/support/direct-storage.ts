import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { LocationTakenError } from '../../lib/errors/storage.errors.js';
import type { DirectUploadAdapter, UploadedPart } from '../../lib/storage/direct-upload-adapter.js';
import type { StorageAdapter } from '../../lib/storage/storage-adapter.js';
import { Storage } from '../../lib/storage/storage.js';
import type { StorageLimits } from '../../lib/storage/storage-limits.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';

export interface DirectStorage {
  storage: Storage;
  /** The same place, as another process has it. */
  anew(): Storage;
  /** What a client does with a signed request: the status that it is answered. */
  send(url: string, content: string | Buffer): number;
  /** How many uploads were begun, and neither finished nor aborted. */
  readonly open: number;
  /** The locations where there is something. */
  locations(): Promise<string[]>;
}

interface Begun {
  location: string;
  parts: Map<number, Buffer>;
}

/**
 * A storage in memory that takes uploads from clients, with parts of so many bytes. `bucket`: where clients send to, if
 * something listens there.
 */
export function directStorage({
  partSize = 4,
  bucket = 'memory:/',
  ...limits
}: StorageLimits & { partSize?: number; bucket?: string } = {}): DirectStorage {
  const memory = memoryStorage({ maxSize: Infinity });
  const begun = new Map<string, Begun>();
  const at = (handle: string, location: string) => {
    const upload = begun.get(handle);
    return upload?.location === location ? upload : undefined;
  };
  const place: DirectUploadAdapter = {
    async begin(location) {
      const handle = randomUUID();
      begun.set(handle, { location, parts: new Map() });
      return { handle, partSize };
    },
    async sign(location, { handle }, { number, size, expiresAt }) {
      const query = new URLSearchParams({ location, number: `${number}`, size: `${size}`, until: expiresAt.toJSON() });
      return { method: 'PUT', url: `${bucket}/${handle}?${query.toString()}`, headers: {} };
    },
    async parts(location, { handle }) {
      return [...(at(handle, location)?.parts ?? [])].map(describe).toSorted((one, other) => one.number - other.number);
    },
    async finish(location, { handle }, parts) {
      const upload = at(handle, location);
      const now = new Map([...(upload?.parts ?? [])].map((part) => [part[0], describe(part).tag]));
      const isWhole = upload && parts.every(({ number, tag }) => now.get(number) === tag);
      const bytes = parts.map(({ number }) => upload?.parts.get(number) ?? Buffer.alloc(0));
      if (isWhole) {
        await memory.write(location, Readable.from([Buffer.concat(bytes)])).catch((error: unknown) => {
          if (!(error instanceof LocationTakenError)) throw error;
        });
        begun.delete(handle);
      } else if (!(await memory.exists(location))) throw new Error('NoSuchUpload');
    },
    async abort(location) {
      for (const [handle, upload] of begun) if (upload.location === location) begun.delete(handle);
    },
  };
  const anew = () => new Storage(adapter, limits);
  const adapter: StorageAdapter = {
    write: (location, content) => memory.write(location, content),
    read: (location, range) => memory.read(location, range),
    remove: (location) => memory.remove(location),
    stat: (location) => memory.stat(location),
    list: (directory) => memory.list(directory),
    directUploads: place,
  };
  return {
    storage: anew(),
    anew,
    send(url, content) {
      const { host, pathname, searchParams } = new URL(url);
      const handle = pathname.slice(1) || host;
      const [bytes, number] = [Buffer.from(content), Number(searchParams.get('number'))];
      if (new Date(searchParams.get('until') ?? '') < new Date()) return 403;
      if (bytes.length !== Number(searchParams.get('size'))) return 403;
      const upload = at(handle, searchParams.get('location') ?? '');
      upload?.parts.set(number, bytes);
      return upload ? 200 : 404;
    },
    get open() {
      return begun.size;
    },
    async locations() {
      const found: string[] = [];
      for await (const { location } of memory.list()) found.push(location);
      return found;
    },
  };
}

function describe([number, bytes]: [number, Buffer]): UploadedPart {
  return { number, size: bytes.length, tag: createHash('md5').update(bytes).digest('hex') };
}
