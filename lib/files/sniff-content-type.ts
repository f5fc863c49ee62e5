import { fileTypeFromBuffer } from 'file-type';
import { parseContentType } from '../storage/content-type.js';
import { sniffMarkup } from './sniff-markup.js';
import { decodeText } from './sniff-text.js';

const HEAD_SIZE = 4100;
// What is inside of a zip (docx, epub, jar, …) may be told by an entry that comes late.
const ZIP_HEAD_SIZE = 64 * 1024;
const ZIP = [0x50, 0x4b, 0x03, 0x04];

// Formats that are text and have a signature of their own. The signatures of binary formats are as short as `BM`, so text may
// begin with one by chance.
const SIGNED_TEXT = new Set([
  'application/pdf',
  'application/postscript',
  'application/eps',
  'application/rtf',
  'application/pgp-encrypted',
  'application/x-ms-regedit',
  'text/calendar',
  'text/vcard',
  'text/vtt',
]);

// What a client may say about a text. Nothing that a browser runs or renders: no HTML, SVG, XML, scripts, style sheets.
const CLAIMABLE =
  /^(?:text\/(?:plain|csv|tab-separated-values|markdown|calendar|vcard|vtt|yaml|rtf)|application\/(?:json|jsonl|x-ndjson|yaml|x-yaml|toml|sql|(?:[a-z0-9.-]+\+)json|(?:[a-z0-9.-]+\+)yaml))$/;

/** How many of the first bytes `sniffContentType` wants to see, judged by those there are. */
export function sniffSize(head: Uint8Array): number {
  return ZIP.every((byte, at) => head[at] === byte) ? ZIP_HEAD_SIZE : HEAD_SIZE;
}

/**
 * What the bytes are. The client's claim counts only among kinds of plain text, which bytes cannot tell apart; binary content that
 * nobody knows is `application/octet-stream` whatever is claimed.
 */
export async function sniffContentType(head: Uint8Array, claim?: string): Promise<string> {
  const signed = await typeBySignature(head);
  const text = decodeText(head);
  if (text === undefined) {
    // XML in an old encoding: what is looked at is ASCII in all of them.
    const markup = signed === 'application/xml' ? sniffMarkup(Buffer.from(head).toString('latin1')) : undefined;
    return markup ?? signed ?? 'application/octet-stream';
  }
  const markup = sniffMarkup(text);
  if (markup !== undefined) return markup;
  if (signed !== undefined && (SIGNED_TEXT.has(signed) || /^GIF8[79]a/.test(text))) return signed;
  return claim !== undefined && CLAIMABLE.test(claim) ? claim : 'text/plain';
}

async function typeBySignature(head: Uint8Array): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head);
  return found && parseContentType(found.mime);
}
