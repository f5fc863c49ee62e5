import { Readable } from 'node:stream';

const PIECE_SIZE = 256 * 1024;

/** The content as a stream that cannot end the process: what it emits while nobody reads it is found when it is read. */
export function asReadable(content: Readable | Uint8Array): Readable {
  const source = content instanceof Uint8Array ? Readable.from(pieces(content), { objectMode: false }) : content;
  source.on('error', () => {});
  return source;
}

// In pieces, so that hashing many bytes does not hold everybody else up.
function* pieces({ buffer, byteOffset, byteLength }: Uint8Array): Generator<Buffer> {
  for (let at = 0; at < byteLength; at += PIECE_SIZE) {
    yield Buffer.from(buffer, byteOffset + at, Math.min(PIECE_SIZE, byteLength - at));
  }
}
