import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { castText } from './values.js';

const ANY = Symbol('any text');
const ONE = Symbol('any character');
type Part = string | typeof ANY | typeof ONE;

/** Characters and wildcards, because databases escape wildcards differently. */
export class Pattern {
  private constructor(private readonly parts: readonly Part[]) {}

  /** Reads the operand of `$like`. */
  static parse(value: unknown, at: string): Pattern {
    const parts: Part[] = [];
    let isEscaped = false;
    for (const character of castText(value, at)) {
      if (isEscaped) parts.push(character);
      else if (character === '%' && parts.at(-1) !== ANY) parts.push(ANY);
      else if (character === '_') parts.push(ONE);
      else if (character !== '\\' && character !== '%') parts.push(character);
      isEscaped = !isEscaped && character === '\\';
    }
    if (isEscaped) throw new SearchQueryInvalidError(at, 'the pattern ends in a backslash that escapes nothing');
    return new Pattern(parts);
  }

  /** For `LIKE … ESCAPE '!'`: a backslash is not the same in the literals of all databases. */
  toLike(): string {
    return this.#with('%', '_', (character) => (/[!%_]/.test(character) ? `!${character}` : character));
  }

  /** For SQLite's `GLOB`, which is case-sensitive. */
  toGlob(): string {
    return this.#with('*', '?', (character) => (/[*?[]/.test(character) ? `[${character}]` : character));
  }

  #with(any: string, one: string, literal: (character: string) => string): string {
    return this.parts.map((part) => (part === ANY ? any : part === ONE ? one : literal(part as string))).join('');
  }
}

/** The text as a part of a pattern that stands for nothing else: `100%` becomes `100\%`. */
export function escaped(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}
