const TOKEN = "[a-z0-9!#$&^_.+'%`|~-]+";
const TYPE = new RegExp(`^${TOKEN}/${TOKEN}$`);
const PATTERN = new RegExp(`^(?:${TOKEN}|\\*|${TOKEN}/(?:${TOKEN}|\\*)|\\*/\\*)$`);
const MAX_LENGTH = 255;

/**
 * The type without parameters, in lower case: `parseContentType('Text/CSV; charset=utf-8')` → `'text/csv'`. `undefined`
 * for a text that is not a main type, one slash and a subtype.
 */
export function parseContentType(value: string): string | undefined {
  const type = (value.split(';', 1)[0] ?? '').trim().toLowerCase();
  return type.length <= MAX_LENGTH && TYPE.test(type) ? type : undefined;
}

/** Whether `matchesContentType` can match anything by it. */
export function isContentTypePattern(pattern: string): boolean {
  return PATTERN.test(pattern.trim().toLowerCase());
}

/**
 * Whether the type is one of the patterns: a full type, a main type or a subtype. `text/csv` matches `text/csv`,
 * `text`, `csv`, `text/*` and `*`, nothing else.
 */
export function matchesContentType(type: string, patterns: readonly string[]): boolean {
  const full = parseContentType(type);
  if (full === undefined) return false;
  const [main, subtype] = full.split('/');
  const matching = [full, main, subtype, `${main}/*`, '*', '*/*'];
  return patterns.some((pattern) => matching.includes(pattern.trim().toLowerCase()));
}
