import { gzipSync } from 'node:zlib';
import { DOCX_TYPES, pdf, png, zip } from './files-samples.js';

const OPEN_XML = 'application/vnd.openxmlformats-officedocument';
export const DOCX = `${OPEN_XML}.wordprocessingml.document`;
export const XLSX = `${OPEN_XML}.spreadsheetml.sheet`;
export const PPTX = `${OPEN_XML}.presentationml.presentation`;

/** A file as a client sends it, and what it is. */
export interface Sample {
  readonly name: string;
  readonly declared?: string;
  readonly bytes: Buffer;
  readonly type: string;
  readonly charset?: string | null;
}

const large = 'x'.repeat(100_000);
/** `名前,値` and a row, in Shift-JIS. */
const shiftJis = Buffer.from('96bc914f2c926c0d0a8b8e6ccd2c310d0a', 'hex');
const cp1252 = Buffer.from('name;größe\r\nMüller;3 €\r\n'.replace('€', '\u0080'), 'latin1');
const csv = Buffer.from('name,size\r\na,1\r\n');
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const compound = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(5000)]);
const html = '<!DOCTYPE html><html><script>alert(1)</script></html>';

const declaredForCsv = [
  'text/csv',
  'application/vnd.ms-excel',
  'application/csv',
  'text/x-csv',
  'text/comma-separated-values',
  'application/octet-stream',
  'text/plain',
  undefined,
];

const csvAs = (bytes: Buffer, charset: string | null): Sample[] =>
  declaredForCsv.map((declared) => ({
    name: 'Table.CSV',
    ...(declared && { declared }),
    bytes,
    type: 'text/csv',
    charset,
  }));

/** Files that people have, under the names and types that they come with. */
export const HONEST: readonly Sample[] = [
  ...csvAs(csv, 'utf-8'),
  ...csvAs(Buffer.concat([Buffer.from('efbbbf', 'hex'), csv]), 'utf-8'),
  ...csvAs(Buffer.from(`\ufeff${String(csv)}`, 'utf16le'), 'utf-16le'),
  ...csvAs(cp1252, null),
  ...csvAs(shiftJis, null),
  ...csvAs(latin1('BMW;größe\r\n'), null),
  ...csvAs(Buffer.concat([csv, Buffer.from([0x1a])]), 'utf-8'),
  ...csvAs(Buffer.from('a\u001fb\u001ec\n'), 'utf-8'),
  ...csvAs(Buffer.concat([cp1252, Buffer.from([0x1a])]), null),
  { name: 'a', declared: 'text/csv', bytes: csv, type: 'text/csv' },
  { name: 'a.tsv', bytes: Buffer.from('a\tb\n'), type: 'text/tab-separated-values' },
  { name: 'a.json', declared: 'application/octet-stream', bytes: Buffer.from('{"a":1}'), type: 'application/json' },
  { name: 'a.geojson', bytes: Buffer.from('{"type":"Point"}'), type: 'application/geo+json' },
  { name: 'a.ndjson', bytes: Buffer.from('{"a":1}\n'), type: 'application/x-ndjson' },
  { name: 'a.yml', bytes: Buffer.from('a: 1\n'), type: 'application/yaml' },
  { name: 'notes.txt', bytes: Buffer.from('notes'), type: 'text/plain', charset: 'utf-8' },
  { name: 'notes.txt', declared: 'text/plain', bytes: latin1('Grüße'), type: 'text/plain', charset: null },
  { name: 'notes', bytes: Buffer.from('notes'), type: 'text/plain' },
  { name: 'README.md', bytes: Buffer.from('# Title'), type: 'text/markdown' },
  { name: 'README.md', bytes: Buffer.from('<p align="center"><img src="a.png"></p>\n\n# T'), type: 'text/markdown' },
  {
    name: 'a',
    declared: 'text/markdown',
    bytes: Buffer.from('<!-- c -->\n<h1 align="center">T</h1>'),
    type: 'text/markdown',
  },
  { name: 'a', declared: 'text/x-markdown', bytes: Buffer.from('<a href="x">T</a>'), type: 'text/markdown' },
  { name: 'a.pdf', bytes: pdf, type: 'application/pdf' },
  { name: 'a', bytes: Buffer.concat([Buffer.from('\r\n\n'), pdf]), type: 'application/pdf' },
  { name: 'a', bytes: Buffer.concat([Buffer.from('\ufeff \0'), pdf]), type: 'application/pdf' },
  { name: 'Scan.PDF', bytes: Buffer.concat([latin1('junk \u0001\u00ff\r\n'), pdf]), type: 'application/pdf' },
  {
    name: 'a',
    declared: 'application/pdf',
    bytes: Buffer.concat([Buffer.alloc(1000, 'x'), pdf]),
    type: 'application/pdf',
  },
  { name: 'a.png', declared: 'text/csv', bytes: png, type: 'image/png' },
  { name: 'a.docx', bytes: zip({ '[Content_Types].xml': DOCX_TYPES, 'word/document.xml': '<x/>' }), type: DOCX },
  { name: 'a.docx', bytes: zip({ 'word/media/image1.png': large, '[Content_Types].xml': DOCX_TYPES }), type: DOCX },
  { name: 'a', declared: DOCX, bytes: zip({ '_rels/.rels': '<x/>', 'word/media/a.png': large }), type: DOCX },
  {
    name: 'a.docx',
    declared: 'application/octet-stream',
    bytes: zip({ 'docProps/thumbnail.jpeg': large }),
    type: DOCX,
  },
  { name: 'a.xlsx', declared: 'application/zip', bytes: zip({ 'xl/media/image1.png': large }), type: XLSX },
  { name: 'a.pptx', bytes: zip({ 'ppt/media/video.mp4': large }), type: PPTX },
  { name: 'a.zip', bytes: zip({ 'a.txt': 'a' }), type: 'application/zip' },
  { name: 'a.doc', bytes: compound, type: 'application/msword' },
  { name: 'a.xls', declared: 'application/vnd.ms-excel', bytes: compound, type: 'application/vnd.ms-excel' },
  { name: 'a', bytes: compound, type: 'application/x-cfb' },
  { name: 'a.html', declared: 'text/html', bytes: Buffer.from(html), type: 'text/html' },
];

const archives: Sample[] = [
  { name: '', bytes: zip({ 'a.txt': large }), type: 'application/zip' },
  { name: '', bytes: zip({ 'word/a.xml': 'x', 'evil.exe': large }), type: 'application/zip' },
  { name: '', bytes: zip({ 'xl.txt': large }), type: 'application/zip' },
  { name: '', bytes: gzipSync('content'), type: 'application/gzip' },
  { name: '', bytes: latin1('BZh91AY&SY\u00ff\u00fe'), type: 'application/x-bzip2' },
];

const active: Sample[] = [
  { name: '', bytes: Buffer.from(html), type: 'text/html' },
  { name: '', bytes: Buffer.from('<script>alert(1)</script>'), type: 'text/html' },
  { name: '', bytes: Buffer.from('<iframe src="x">'), type: 'text/html' },
  { name: '', bytes: Buffer.from(`<html>${' '.repeat(100)}%PDF-1.7\n`), type: 'text/html' },
  { name: '', bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), type: 'image/svg+xml' },
  { name: '', bytes: Buffer.from('<?xml version="1.0"?><p/>'), type: 'application/xml' },
];

const names = ['a.csv', 'a.txt', 'a.md', 'a.json', 'a.pdf', 'a.docx', 'a.xlsx', 'a.doc', 'a.png'];
const declaredTypes = [
  undefined,
  'text/csv',
  'text/plain',
  'text/markdown',
  'application/pdf',
  DOCX,
  'application/msword',
];

/** Active content and archives, under every name and declared type of a document. */
export const DISGUISED: readonly Sample[] = [...archives, ...active].flatMap((sample) =>
  names.flatMap((name) => declaredTypes.map((declared) => ({ ...sample, name, ...(declared && { declared }) }))),
);

/** What no name and no declared type may make of harmless bytes. */
export const WISHED_ACTIVE: readonly Sample[] = ['a.html', 'a.svg', 'a.xml', 'a.js', 'a.css', 'a.xhtml'].flatMap(
  (name) =>
    [undefined, 'text/html', 'image/svg+xml', 'text/xml', 'text/javascript', 'text/css'].map((declared) => ({
      name,
      ...(declared && { declared }),
      bytes: Buffer.from('alert(1)'),
      type: 'text/plain',
    })),
);

/** Unknown bytes stay unknown. */
export const UNKNOWN: readonly Sample[] = [
  ...names.map((name) => ({ name, bytes: Buffer.from([0, 1, 2, 200, 7, 7, 7]), type: 'application/octet-stream' })),
  { name: 'a', bytes: cp1252, type: 'application/octet-stream' },
  { name: 'a.html', declared: 'text/html', bytes: latin1('<html>é é'), type: 'application/octet-stream' },
  { name: 'a', declared: 'application/octet-stream', bytes: Buffer.from('a\u001fb'), type: 'application/octet-stream' },
  { name: 'a.txt', bytes: Buffer.from('An article about %PDF-1.7 headers'), type: 'text/plain' },
  { name: 'a.pdf', bytes: Buffer.concat([Buffer.alloc(1100, 'x'), pdf]), type: 'application/octet-stream' },
];
