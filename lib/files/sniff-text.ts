const BYTE_ORDER_MARKS: [bytes: number[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

// What text never has: https://mimesniff.spec.whatwg.org/#binary-data-byte
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const BINARY = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/;

/** The bytes as text: UTF-8, or UTF-16 with a byte order mark, without control characters. `undefined` for anything else. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const encoding = encodingOf(bytes);
  try {
    // As a stream, because the last character may be cut.
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
    return BINARY.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** How text of these first bytes is encoded, for `Content-Type`; null where that is not known. */
export function charsetOf(bytes: Uint8Array): string | null {
  return decodeText(bytes) === undefined ? null : encodingOf(bytes);
}

function encodingOf(bytes: Uint8Array): string {
  return BYTE_ORDER_MARKS.find(([mark]) => mark.every((byte, at) => bytes[at] === byte))?.[1] ?? 'utf-8';
}
