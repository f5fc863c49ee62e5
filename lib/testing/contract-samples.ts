import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { TemporaryUrlRequest } from '../storage/storage-adapter.js';
import type { StorageVerb } from '../storage/storage-verbs.js';
import type { Storage } from '../storage/storage.js';

/** Makes a test of an empty storage, which is skipped, with a word, where the adapter lacks one of the verbs. */
export type ContractTest = (
  title: string,
  run: (storage: Storage) => Promise<void>,
  ...needs: StorageVerb[]
) => unknown;

export const LARGE = Buffer.alloc(3 * 1024 * 1024 + 17, 'nestjs-files ');

export function urlRequest(): TemporaryUrlRequest {
  return {
    expiresAt: new Date(Date.now() + 60_000),
    disposition: 'attachment',
    name: 'a.txt',
    contentType: 'text/plain',
  };
}

export function source(...chunks: (string | Buffer)[]): Readable {
  return Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
}

/** Gives some bytes, then breaks: with the error, or without one as a connection that is cut. */
export function failing(fault: Error | undefined): Readable {
  let given = 0;
  return new Readable({
    read() {
      if (given++ < 20) this.push(Buffer.alloc(64 * 1024, 'x'));
      else setImmediate(() => this.destroy(fault));
    },
  });
}

export async function listed(storage: Storage, directory?: string): Promise<string[]> {
  const locations: string[] = [];
  for await (const { location } of storage.list(directory)) locations.push(location);
  return locations.sort();
}

export async function contentOf(storage: Storage, location: string, start?: number, end?: number): Promise<Buffer> {
  const range = start === undefined || end === undefined ? undefined : { start, end };
  return buffer(await storage.read(location, range));
}
