import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { FileTooLargeError } from '../errors/file-too-large.error.js';
import { FileTypeNotAcceptedError } from '../errors/file-type-not-accepted.error.js';
import { matchesContentType } from '../storage/content-type.js';
import type { Storage } from '../storage/storage.js';
import { sniffContentType, sniffSize } from './sniff-content-type.js';
import { uuidV7 } from './uuid-v7.js';

// Chunks, not bytes: joining them to larger ones costs more than it saves. Enough to have the storage's next write ready.
const READ_AHEAD = 8;

export interface UploadHints {
  name: string;
  /** What the client says the content is. */
  contentType?: string;
}

/** What an upload found out. */
export interface StoredContent {
  location: string;
  contentType: string;
  /** Bytes. */
  size: number;
  /** Hex. */
  hash: string;
  hashAlgorithm: string;
}

/**
 * Stores the content in one pass: counted against the storage's limit, hashed, its type found and checked, written. Memory does
 * not depend on its size. When it fails nothing stays in the storage; the content is destroyed then.
 */
export async function upload(content: Readable, storage: Storage, hints: UploadHints): Promise<StoredContent> {
  const hash = createHash(storage.hashAlgorithm);
  let size = 0;
  async function* measured(): AsyncGenerator<Buffer, void> {
    for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
      const bytes = asBuffer(chunk);
      size += bytes.length;
      if (storage.maxSize !== undefined && size > storage.maxSize)
        throw new FileTooLargeError(storage.name, storage.maxSize);
      hash.update(bytes);
      yield bytes;
    }
  }
  try {
    const chunks = measured();
    const head = await takeHead(chunks);
    const contentType = await sniffContentType(head.subarray(0, sniffSize(head)), hints.contentType);
    assertAccepted(contentType, storage);
    const location = storage.locationFor({ uuid: uuidV7(), name: hints.name, contentType, now: new Date() });
    const body = Readable.from(joined(head, chunks), { highWaterMark: READ_AHEAD });
    await storage.write(location, body);
    return { location, contentType, size, hash: hash.digest('hex'), hashAlgorithm: storage.hashAlgorithm };
  } finally {
    content.destroy();
  }
}

function assertAccepted(contentType: string, { name, acceptedTypes }: Storage): void {
  if (acceptedTypes === undefined || matchesContentType(contentType, acceptedTypes)) return;
  throw new FileTypeNotAcceptedError(name, contentType, acceptedTypes);
}

/** The first bytes: at least as many as their type can be told by, or all there are. */
async function takeHead(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const taken: Buffer[] = [];
  let size = 0;
  for (let wanted = sniffSize(Buffer.alloc(0)); size < wanted;) {
    const { done, value } = await chunks.next();
    if (done) break;
    taken.push(value);
    size += value.length;
    if (size >= wanted) wanted = sniffSize(Buffer.concat(taken));
  }
  return Buffer.concat(taken);
}

async function* joined(head: Buffer, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  if (head.length > 0) yield head;
  yield* chunks;
}

function asBuffer(chunk: Uint8Array | string): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
