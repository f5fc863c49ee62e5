import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { LIMITS } from './limits.js';
import { show } from './show.js';

// SQLite has no way to quote a quote in a path.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNQUOTABLE = /["\\\u0000-\u001f\u007f]|\p{Surrogate}/u;

/** Throws unless every database can be asked for the value that these keys of nested objects lead to. */
export function assertJsonPath(keys: readonly string[], at: string): void {
  if (keys.length > LIMITS.path) throw new SearchQueryInvalidError(at, `a path has up to ${LIMITS.path} keys`);
  for (const key of keys) {
    if (key === '' || key.length > LIMITS.key)
      throw new SearchQueryInvalidError(at, `a key of a path has from 1 to ${LIMITS.key} characters`);
    if (UNQUOTABLE.test(key)) throw new SearchQueryInvalidError(at, `${show(key)} cannot be a key of a path`);
  }
}

/** The path in the notation of SQLite, MySQL and MariaDB: `$."a"."b"`. */
export function toJsonPath(keys: readonly string[]): string {
  return ['$', ...keys.map((key) => `."${key}"`)].join('');
}
