const BYTE_ORDER_MARKS: [bytes: number[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

// Bytes that text never has: https://mimesniff.spec.whatwg.org/#binary-data-byte
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const BINARY = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/;
// Without the mark of the end of DOS files and the separators of files, groups, records and units, which exports of
// tables have.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const BINARY_IN_TABLES = /[\u0000-\u0008\u000b\u000e-\u0019]/;

/** The first bytes of a text. */
export interface TextHead {
  readonly text: string;
  /** For `Content-Type`; null where it is not known. */
  readonly charset: string | null;
  /**
   * Whether binary content could look like this, too, so that the name or the declared type must confirm that it is
   * text.
   */
  readonly isUnsure: boolean;
}

/**
 * The bytes as text: UTF-8, or UTF-16 with a byte order mark, without control characters. Less sure are separators of
 * tables, and bytes above 127 that are no UTF-8: those are some older encoding, read as Latin-1, so that what is ASCII
 * in it can be looked at. `undefined` for anything else.
 */
export function readText(bytes: Uint8Array): TextHead | undefined {
  const mark = BYTE_ORDER_MARKS.find(([start]) => start.every((byte, at) => bytes[at] === byte));
  const charset = mark?.[1] ?? 'utf-8';
  const latin = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // Bytes below 128 mean the same in both. Looking for them is faster than to let the decoder throw.
  if (charset === 'utf-8' && BINARY_IN_TABLES.test(latin)) return undefined;
  const decoded = decode(bytes, charset);
  if (decoded === undefined && mark) return undefined;
  const text = decoded ?? latin;
  if (BINARY_IN_TABLES.test(text)) return undefined;
  return {
    text,
    charset: decoded === undefined ? null : charset,
    isUnsure: decoded === undefined || BINARY.test(text),
  };
}

function decode(bytes: Uint8Array, charset: string): string | undefined {
  try {
    // As a stream, because the last character may be cut.
    return new TextDecoder(charset, { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
