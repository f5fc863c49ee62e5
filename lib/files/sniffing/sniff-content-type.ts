import { fileTypeFromBuffer } from 'file-type';
import { parseContentType } from '../../storage/content-type.js';
import { isMarkdownMarkup, sniffMarkup } from './sniff-markup.js';
import { compoundType, openXmlType } from './sniff-office.js';
import { readText } from './sniff-text.js';
import { textKindOf } from './text-kind.js';
import { extensionOf } from './type-hints.js';
import type { TypeHints } from './type-hints.js';

const HEAD_SIZE = 4100;
// The entry that tells the kind of a zip (docx, epub, jar, …) may come late.
const ZIP_HEAD_SIZE = 64 * 1024;
const ZIP = [0x50, 0x4b, 0x03, 0x04];

// Text formats that have a signature. The signatures of binary formats are as short as `BM`, so text may
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

// Where bytes could be text, too, no name turns these types into text.
const ARCHIVE = /zip|compress|-7z|-rar|-tar|-xz|-lz|lz4|zstd|archive|cpio|-cab|-deb|-rpm|msdownload|x-elf|mach-binary/;

// Readers look for it in so many bytes, because mail programs and scanners put other bytes before it.
const PDF_WITHIN = 1024;
const PDF = /%PDF-\d\.\d/;

/** How many of the first bytes `sniffContentType` needs, judged by the present ones. */
export function sniffSize(head: Uint8Array): number {
  return ZIP.every((byte, at) => head[at] === byte) ? ZIP_HEAD_SIZE : HEAD_SIZE;
}

/**
 * The content type of the bytes. The declared type and the name count only where bytes cannot tell: among kinds of
 * plain text and of Office documents, and for a PDF that begins with other bytes. They never make a file HTML, SVG, XML
 * or a script. Unknown binary content is `application/octet-stream`.
 */
export async function sniffContentType(head: Uint8Array, hints: TypeHints = {}): Promise<string> {
  const signed = await typeBySignature(head);
  const read = readText(head);
  const kind = textKindOf(hints);
  const isText = read !== undefined && (!read.isUnsure || (kind !== undefined && !ARCHIVE.test(signed ?? '')));
  if (!isText) return binaryType(head, signed, hints);
  return markupType(read.text, kind) ?? signedText(read.text, signed) ?? latePdf(head, hints) ?? kind ?? 'text/plain';
}

/** HTML, SVG or XML, unless a file that is declared as Markdown only has HTML in it. */
function markupType(text: string, kind: string | undefined): string | undefined {
  const markup = sniffMarkup(text);
  const isMarkdown = kind === 'text/markdown' && markup === 'text/html' && isMarkdownMarkup(text);
  return isMarkdown ? undefined : markup;
}

/** A signature that text can have. */
function signedText(text: string, signed: string | undefined): string | undefined {
  return signed !== undefined && (SIGNED_TEXT.has(signed) || /^GIF8[79]a/.test(text)) ? signed : undefined;
}

function binaryType(head: Uint8Array, signed: string | undefined, hints: TypeHints): string {
  switch (signed) {
    case undefined:
      return latePdf(head, hints) ?? 'application/octet-stream';
    case 'application/xml':
      // In an old encoding. Markup is ASCII in all of them.
      return sniffMarkup(Buffer.from(head).toString('latin1')) ?? signed;
    case 'application/zip':
      return openXmlType(head, hints) ?? signed;
    case 'application/x-cfb':
      return compoundType(hints) ?? signed;
    default:
      return signed;
  }
}

/**
 * A PDF behind other bytes: behind blanks, or if the declared type or the name says PDF and the content does not begin
 * as HTML, SVG or XML.
 */
function latePdf(head: Uint8Array, { declared, name }: TypeHints): string | undefined {
  const start = Buffer.from(head.subarray(0, PDF_WITHIN)).toString('latin1');
  const at = start.search(PDF);
  if (at < 0) return undefined;
  // oxlint-disable-next-line no-control-regex -- zeros are blanks in a PDF
  const isBehindBlanks = /^(?:\u00ef\u00bb\u00bf)?[\u0000\s]*$/.test(start.slice(0, at));
  const isSaid = declared === 'application/pdf' || extensionOf(name) === 'pdf';
  return isBehindBlanks || (isSaid && sniffMarkup(start) === undefined) ? 'application/pdf' : undefined;
}

async function typeBySignature(head: Uint8Array): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head);
  return found && parseContentType(found.mime);
}
