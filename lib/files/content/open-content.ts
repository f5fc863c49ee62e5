import { Readable } from 'node:stream';
import { ContentSpentError } from '../../errors/files.errors.js';

/**
 * The bytes of a file: in memory, as an unread stream, or as a function that opens one. A unit of work with `retry`
 * calls the function again; a stream can be read only once.
 */
export type FileContent = OpenContent | (() => OpenContent | Promise<OpenContent>);
type OpenContent = Readable | Uint8Array;

const PIECE_SIZE = 256 * 1024;
const given = new WeakSet<Readable>();

/**
 * The content as a stream that cannot end the process: an error that it emits before it is read is thrown when it is
 * read. Throws `ContentSpentError` for a stream that was read, or given, before.
 */
export async function openContent(content: FileContent, target: string): Promise<Readable> {
  const opened = typeof content === 'function' ? await content() : content;
  if (opened instanceof Uint8Array) return streamOf(opened);
  opened.on('error', () => {});
  if (opened.readableDidRead || given.has(opened)) throw new ContentSpentError(target);
  given.add(opened);
  return opened;
}

/** The bytes in pieces, so that hashing many of them does not block other work. */
export function streamOf(bytes: Uint8Array): Readable {
  return Readable.from(pieces(bytes), { objectMode: false });
}

function* pieces({ buffer, byteOffset, byteLength }: Uint8Array): Generator<Buffer> {
  for (let at = 0; at < byteLength; at += PIECE_SIZE) {
    yield Buffer.from(buffer, byteOffset + at, Math.min(PIECE_SIZE, byteLength - at));
  }
}
