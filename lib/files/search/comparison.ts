import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { isIn } from './dialects/search-dialect.js';
import type { Bind, JsonValueSql, SearchDialect } from './dialects/search-dialect.js';
import type { FieldKind } from './fields.js';
import type { Pattern } from './pattern.js';
import { castValue } from './values.js';

/** A column, or a value in JSON, that filters can compare. Values are the caller's, and unchecked. */
export interface Subject {
  isNull(): string;
  /** Whether it is one of the values: at least one, and none is null. */
  isIn(values: readonly unknown[], at: string): string;
  order(operator: '<' | '<=' | '>' | '>=', value: unknown, at: string): string;
  /** With regard to case. */
  like(pattern: Pattern, at: string): string;
  ilike(pattern: Pattern, at: string): string;
}

/** A column. */
export class ColumnSubject implements Subject {
  constructor(
    private readonly column: string,
    private readonly kind: FieldKind,
    private readonly dialect: SearchDialect,
    private readonly bind: Bind,
  ) {}

  isNull(): string {
    return `${this.column} IS NULL`;
  }

  isIn(values: readonly unknown[], at: string): string {
    const cast = values.map((value) => castValue(this.kind, value, at));
    return this.kind === 'text'
      ? this.dialect.textIn(this.column, cast as string[], this.bind)
      : isIn(this.column, cast.map(this.bind));
  }

  order(operator: string, value: unknown, at: string): string {
    if (this.kind === 'flag') throw new SearchQueryInvalidError(at, 'true and false have no order');
    return `${this.column} ${operator} ${this.bind(castValue(this.kind, value, at))}`;
  }

  like(pattern: Pattern, at: string): string {
    return this.dialect.like(this.#text(at), pattern, this.bind);
  }

  ilike(pattern: Pattern, at: string): string {
    return this.dialect.ilike(this.#text(at), pattern, this.bind);
  }

  #text(at: string): string {
    if (this.kind !== 'text') throw new SearchQueryInvalidError(at, 'patterns are for texts');
    return this.column;
  }
}

/** A value in JSON. Values of different types are never equal, less or more. */
export class JsonSubject implements Subject {
  constructor(
    private readonly value: JsonValueSql,
    private readonly dialect: SearchDialect,
    private readonly bind: Bind,
  ) {}

  isNull(): string {
    return this.value.isNull;
  }

  isIn(values: readonly unknown[], at: string): string {
    const cast = values.map((value) => castValue('data', value, at));
    const { string, number, boolean } = this.value;
    const texts = cast.filter((value) => typeof value === 'string');
    const numbers = cast.filter((value) => typeof value === 'number').map((value) => this.#number(value));
    const flags = cast.filter((value) => typeof value === 'boolean').map((value) => this.bind(String(value)));
    const parts = [
      ...(texts.length > 0 ? [this.dialect.textIn(string, texts, this.bind)] : []),
      ...(numbers.length > 0 ? [isIn(number, numbers)] : []),
      ...(flags.length > 0 ? [isIn(boolean, flags)] : []),
    ];
    return `(${parts.join(' OR ')})`;
  }

  order(operator: string, value: unknown, at: string): string {
    const cast = castValue('data', value, at);
    if (typeof cast === 'boolean') throw new SearchQueryInvalidError(at, 'true and false have no order');
    const { string, number } = this.value;
    return typeof cast === 'string'
      ? `${string} ${operator} ${this.bind(cast)}`
      : `${number} ${operator} ${this.#number(cast)}`;
  }

  like(pattern: Pattern): string {
    return this.dialect.like(this.value.string, pattern, this.bind);
  }

  ilike(pattern: Pattern): string {
    return this.dialect.ilike(this.value.string, pattern, this.bind);
  }

  #number(value: number): string {
    return this.dialect.bindNumber(value, this.bind);
  }
}
