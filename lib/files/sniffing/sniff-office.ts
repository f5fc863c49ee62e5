import { extensionOf } from './type-hints.js';
import type { TypeHints } from './type-hints.js';

interface OfficeType {
  readonly type: string;
  /** Where the parts of such a document are in its archive. */
  readonly folder: string;
}

const OPEN_XML = 'application/vnd.openxmlformats-officedocument';

// Without those that have macros.
const OPEN_XML_BY_EXTENSION: Readonly<Record<string, OfficeType>> = {
  docx: { type: `${OPEN_XML}.wordprocessingml.document`, folder: 'word' },
  dotx: { type: `${OPEN_XML}.wordprocessingml.template`, folder: 'word' },
  xlsx: { type: `${OPEN_XML}.spreadsheetml.sheet`, folder: 'xl' },
  xltx: { type: `${OPEN_XML}.spreadsheetml.template`, folder: 'xl' },
  pptx: { type: `${OPEN_XML}.presentationml.presentation`, folder: 'ppt' },
  ppsx: { type: `${OPEN_XML}.presentationml.slideshow`, folder: 'ppt' },
  potx: { type: `${OPEN_XML}.presentationml.template`, folder: 'ppt' },
};

const OPEN_XML_PARTS = ['[Content_Types].xml', '_rels', 'docProps', 'customXml'];

const COMPOUND_BY_EXTENSION: Readonly<Record<string, string>> = {
  doc: 'application/msword',
  dot: 'application/msword',
  xls: 'application/vnd.ms-excel',
  xlt: 'application/vnd.ms-excel',
  ppt: 'application/vnd.ms-powerpoint',
  pps: 'application/vnd.ms-powerpoint',
  msg: 'application/vnd.ms-outlook',
};

/**
 * The type of an Office document whose first entry is larger than the examined bytes, so that its archive tells no
 * more: the declared type or the name decides, and each visible entry must be a part of such a document.
 */
export function openXmlType(head: Uint8Array, { declared, name }: TypeHints): string | undefined {
  const known =
    Object.values(OPEN_XML_BY_EXTENSION).find(({ type }) => type.toLowerCase() === declared) ??
    OPEN_XML_BY_EXTENSION[extensionOf(name)];
  if (!known) return undefined;
  const parts = [...OPEN_XML_PARTS, known.folder];
  const entries = entriesOf(Buffer.from(head));
  const areParts = entries.every((entry) => parts.includes(entry.split('/', 1)[0] ?? ''));
  return entries.length > 0 && areParts ? known.type : undefined;
}

/**
 * The type of a document of Office before 2007. Its bytes are a compound file; the declared type or the name tells
 * which kind.
 */
export function compoundType({ declared = '', name }: TypeHints): string | undefined {
  return (
    Object.values(COMPOUND_BY_EXTENSION).find((type) => type === declared) ?? COMPOUND_BY_EXTENSION[extensionOf(name)]
  );
}

/** The names of the entries that can be seen, up to the first one whose end cannot. */
function entriesOf(head: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at + 30 <= head.length && head.readUInt32LE(at) === 0x04034b50;) {
    const nameEnd = at + 30 + head.readUInt16LE(at + 26);
    if (nameEnd > head.length) break;
    names.push(head.toString('utf8', at + 30, nameEnd));
    const hasSizeBehind = (head.readUInt16LE(at + 6) & 8) !== 0;
    if (hasSizeBehind) break;
    at = nameEnd + head.readUInt16LE(at + 28) + head.readUInt32LE(at + 18);
  }
  return names;
}
