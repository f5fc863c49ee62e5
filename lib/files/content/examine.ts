import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { FileTooLargeError, FileTypeNotAcceptedError } from '../../errors/files.errors.js';
import { matchesContentType } from '../../storage/content-type.js';
import type { Bytes } from '../../storage/reads-together.js';
import type { Storage } from '../../storage/storage.js';
import type { Room } from './room.js';
import { sniffContentType, sniffSize } from '../sniffing/sniff-content-type.js';
import { readText } from '../sniffing/sniff-text.js';
import type { TypeHints } from '../sniffing/type-hints.js';

// Chunks, not bytes: joining them to larger ones costs more than it saves. This is enough to have the storage's next
// write ready.
const READ_AHEAD = 8;

/** The facts about bytes once they have all been read. */
export interface Digest {
  /** Bytes. */
  size: number;
  /** Hex. */
  hash: string;
  hashAlgorithm: string;
}

/** Content whose first bytes have been examined. */
export interface Examined {
  contentType: string;
  /** The charset of a text; null for all other content. */
  charset: string | null;
  /** All of the content, counted and hashed as it is read. */
  body: Readable;
  /** Reads all of the content for its digest, in place of `body`. */
  consume(): Promise<void>;
  /** Once the content has been read. Another algorithm must have been asked for before. */
  digest(algorithm?: string): Digest;
}

export interface ExamineHints extends TypeHints {
  /** Whether the storage takes it whatever its type is. */
  isAccepted?: boolean;
  /** Further algorithms to hash with. */
  algorithms?: readonly string[] | undefined;
  /** The limits of the content. */
  room?: Room | undefined;
}

/**
 * Examines content on its way to a storage, in one pass: its type is found and checked at once; it is counted against
 * the storage's limit and the owner's room, and hashed while the body is read. Memory does not depend on its size.
 */
export async function examine(
  content: Bytes,
  storage: Storage,
  { algorithms = [], room, isAccepted = false, ...said }: ExamineHints = {},
): Promise<Examined> {
  const hashes = new Map([storage.hashAlgorithm, ...algorithms].map((name) => [name, createHash(name)]));
  let size = 0;
  async function* measured(): AsyncGenerator<Buffer, void> {
    for await (const chunk of content as Iterable<Uint8Array> | AsyncIterable<Uint8Array | string>) {
      const bytes = asBuffer(chunk);
      size += bytes.length;
      if (storage.maxSize !== undefined && size > storage.maxSize)
        throw new FileTooLargeError(storage.name, storage.maxSize);
      if (room !== undefined && size > room.bytes) throw room.exceeded(size);
      for (const hash of hashes.values()) hash.update(bytes);
      yield bytes;
    }
  }
  const chunks = measured();
  const head = await takeHead(chunks);
  const sniffed = head.subarray(0, sniffSize(head));
  const contentType = await sniffContentType(sniffed, said);
  if (!isAccepted) assertAccepted(contentType, storage);
  const digests = new Map<string, string>();
  const all = joined(head, chunks);
  return {
    contentType,
    charset: contentType.startsWith('text/') ? (readText(sniffed)?.charset ?? null) : null,
    body: Readable.from(all, { highWaterMark: READ_AHEAD }),
    consume: async () => {
      // A stream around them would take longer than the hash of a small file.
      while (!(await all.next()).done);
    },
    digest: (hashAlgorithm = storage.hashAlgorithm) => {
      const hash = digests.get(hashAlgorithm) ?? hashes.get(hashAlgorithm)?.digest('hex') ?? '';
      digests.set(hashAlgorithm, hash);
      return { size, hash, hashAlgorithm };
    },
  };
}

/** Throws `FileTypeNotAcceptedError`. */
export function assertAccepted(contentType: string, { name, acceptedTypes }: Storage): void {
  if (acceptedTypes === undefined || matchesContentType(contentType, acceptedTypes)) return;
  throw new FileTypeNotAcceptedError(name, contentType, acceptedTypes);
}

/** The first bytes: enough to find the type, or all of them. */
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
