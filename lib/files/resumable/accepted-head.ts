import type { Storage } from '../../storage/storage.js';
import { assertAccepted } from '../content/examine.js';
import { sniffContentType, sniffSize } from '../sniffing/sniff-content-type.js';
import type { TypeHints } from '../sniffing/type-hints.js';

/** No content needs more bytes for its type to be found. */
export const MAX_HEAD = 64 * 1024;

/** The part of the file that is there already, and what is known about the rest. */
export interface Beginning {
  /** The first bytes: all that are there, up to `MAX_HEAD`. */
  head: Buffer;
  /** Bytes of the whole file, if they are known. */
  length: number | undefined;
  said: TypeHints;
}

/**
 * The same chunks. As soon as the type of the file can be found, and before the bytes that tell it are passed on,
 * throws `FileTypeNotAcceptedError` if the storage does not accept it.
 */
export async function* accepted(
  content: AsyncIterable<Uint8Array>,
  { head, length, said }: Beginning,
  storage: Storage,
): AsyncGenerator<Uint8Array, void> {
  const held: Uint8Array[] = [];
  let all = head;
  let isChecked = false;
  for await (const chunk of content) {
    held.push(chunk);
    if (!isChecked) {
      all = Buffer.concat([all, chunk]);
      if (!isEnough(all, length)) continue;
      assertAccepted(await sniffContentType(all.subarray(0, sniffSize(all)), said), storage);
      isChecked = true;
    }
    yield* held.splice(0);
  }
  // Too few to tell; the next request goes on.
  yield* held;
}

function isEnough(head: Buffer, length: number | undefined): boolean {
  return head.length >= Math.min(sniffSize(head), length ?? Infinity);
}
