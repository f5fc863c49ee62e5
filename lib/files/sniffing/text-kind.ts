import { extensionOf } from './type-hints.js';
import type { TypeHints } from './type-hints.js';

// The types of text that a client may declare. None that a browser runs or renders: no HTML, SVG, XML, scripts, style
// sheets.
const DECLARABLE =
  /^(?:text\/(?:csv|tab-separated-values|markdown|calendar|vcard|vtt|yaml|rtf)|application\/(?:json|jsonl|x-ndjson|yaml|x-yaml|toml|sql|(?:[a-z0-9.-]+\+)json|(?:[a-z0-9.-]+\+)yaml))$/;

// Other names that clients use.
const ALIASES: Readonly<Record<string, string>> = {
  'application/csv': 'text/csv',
  'application/x-csv': 'text/csv',
  'text/x-csv': 'text/csv',
  'text/comma-separated-values': 'text/csv',
  'text/x-comma-separated-values': 'text/csv',
  'text/tsv': 'text/tab-separated-values',
  'text/x-tsv': 'text/tab-separated-values',
  'text/x-markdown': 'text/markdown',
  'text/json': 'application/json',
  'text/x-yaml': 'text/yaml',
};

const BY_EXTENSION: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  tab: 'text/tab-separated-values',
  md: 'text/markdown',
  markdown: 'text/markdown',
  json: 'application/json',
  geojson: 'application/geo+json',
  jsonl: 'application/jsonl',
  ndjson: 'application/x-ndjson',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  toml: 'application/toml',
  sql: 'application/sql',
  ics: 'text/calendar',
  vcf: 'text/vcard',
  vtt: 'text/vtt',
  txt: 'text/plain',
  text: 'text/plain',
  log: 'text/plain',
};

/**
 * The text type that the client's content type or the file's name indicates; `undefined` if neither indicates one. The
 * content type counts first. The name decides if the content type is `text/plain` or not a text type (Windows sends
 * `application/vnd.ms-excel` for CSV).
 */
export function textKindOf({ declared = '', name }: TypeHints): string | undefined {
  const type = ALIASES[declared] ?? declared;
  if (DECLARABLE.test(type)) return type;
  return BY_EXTENSION[extensionOf(name)] ?? (declared === 'text/plain' ? declared : undefined);
}
