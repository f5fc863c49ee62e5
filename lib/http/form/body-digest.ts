import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { DigestInvalidError, DigestMismatchedError } from '../../errors/requests.errors.js';

/** The algorithms of https://www.rfc-editor.org/rfc/rfc9530#section-5 that are secure, as `node:crypto` calls them. */
export const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
]);

const HEADERS = ['content-digest', 'repr-digest'] as const;
const MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]+={0,2}):(?:;.*)?$/;

// Bytes of the hashes.
const LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 32],
  ['sha512', 64],
]);

interface Expected {
  readonly header: string;
  readonly name: string;
  /** As `node:crypto` calls it. */
  readonly algorithm: string;
  readonly value: string;
}

/**
 * A stream that passes the body of the request on, and fails before its end if the body does not have the digests that
 * the client announced. Undefined if it announced none. Of unknown algorithms nothing is checked. Throws
 * `DigestInvalidError`.
 */
export function digestedBody(request: IncomingMessage): Transform | undefined {
  const expected = HEADERS.flatMap((header) => expectedBy(header, request.headers[header]));
  if (expected.length === 0) return undefined;
  const hashes = new Map<string, Hash>(expected.map(({ algorithm }) => [algorithm, createHash(algorithm)]));
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (const hash of hashes.values()) hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const found = new Map([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest('base64')]));
      const wrong = expected.find(({ algorithm, value }) => found.get(algorithm) !== value);
      done(wrong && new DigestMismatchedError(wrong.header, wrong.name));
    },
  });
}

/** One for each algorithm: the last of equal keys counts, https://www.rfc-editor.org/rfc/rfc8941#section-3.2 */
function expectedBy(header: string, value: string | string[] | undefined): Expected[] {
  if (value === undefined) return [];
  const text = Array.isArray(value) ? value.join(', ') : value;
  const found = new Map<string, Expected>();
  for (const member of text.split(',')) {
    const [, name, digest] = MEMBER.exec(member.trim()) ?? [];
    if (name === undefined || digest === undefined) throw new DigestInvalidError(header, text);
    const algorithm = DIGESTS.get(name);
    if (algorithm === undefined) continue;
    // A client may leave out the padding. Decoded and encoded again, the texts can be compared.
    const bytes = Buffer.from(digest, 'base64');
    if (bytes.length !== LENGTHS.get(algorithm)) throw new DigestInvalidError(header, text);
    found.set(name, { header, name, algorithm, value: bytes.toString('base64') });
  }
  return [...found.values()];
}
