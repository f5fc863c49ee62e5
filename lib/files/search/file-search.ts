import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { SearchQueryInvalidError } from '../../errors/requests.errors.js';
import { ManagedFile } from '../managed-file.entity.js';
import { readFiles } from '../read-files.js';
import { afterCursor, encodeCursor } from './cursor.js';
import { searchDialectFor } from './dialects/search-dialect-for.js';
import type { Bind, SearchDialect } from './dialects/search-dialect.js';
import type { Field } from './fields.js';
import type { FileFilter, SearchOptions } from './file-filter.js';
import { FilterCompiler } from './filter-compiler.js';
import { LIMITS } from './limits.js';
import { show } from './show.js';
import { isPlainObject } from './values.js';
import { sortKeys } from './sort-order.js';
import type { SortKey } from './sort-order.js';
import type { Bound } from './values.js';

const OPTIONS = new Set(['filters', 'sort', 'offset', 'limit', 'cursor']);
const ALIAS = 'file';

/**
 * The files within the `scope` that match, sorted. Throws `SearchQueryInvalidError` for an invalid search, before the
 * database is asked.
 */
export class FileSearch {
  readonly offset: number;
  readonly limit: number;
  readonly cursor: string | null;
  readonly #dataSource: DataSource;
  readonly #query: SelectQueryBuilder<ManagedFile>;
  readonly #values: Bound[] = [];
  readonly #keys: readonly SortKey[];
  readonly #dialect: SearchDialect;
  readonly #column: (field: Field) => string;

  constructor(dataSource: DataSource, options: SearchOptions, scope?: FileFilter) {
    assertOptions(options);
    const { filters = {}, offset = 0, limit = 10, cursor = null } = options;
    assertWithin('offset', offset, Number.MAX_SAFE_INTEGER);
    assertWithin('limit', limit, LIMITS.files);
    this.#dataSource = dataSource;
    [this.offset, this.limit, this.cursor] = [offset, limit, cursor];
    this.#keys = sortKeys(options.sort);
    this.#query = dataSource.getRepository(ManagedFile).createQueryBuilder(ALIAS);
    this.#dialect = searchDialectFor(dataSource);
    this.#column = columns(this.#query);
    const compiler = new FilterCompiler(this.#column, this.#dialect, binder(this.#values));
    if (scope) this.#query.where(compiler.compile(scope, 'scope'));
    this.#query.andWhere(compiler.compile(filters, 'filters')).setParameters(named(this.#values));
    // A wrong cursor is found before the database is asked.
    this.#page(cursor);
  }

  /** How many there are on all pages. */
  count(): Promise<number> {
    return this.#query.getCount();
  }

  /** Finds the files after the cursor. */
  find(cursor: string | null, offset: number, limit: number): Promise<ManagedFile[]> {
    return readFiles(this.#dataSource, this.#page(cursor).limit(limit).offset(offset));
  }

  /** The place of a file, for `cursor`. */
  cursorOf(file: ManagedFile): string {
    return encodeCursor(file, this.#keys);
  }

  #page(cursor: string | null): SelectQueryBuilder<ManagedFile> {
    const page = this.#query.clone();
    if (cursor !== null) {
      const values = [...this.#values];
      page.andWhere(afterCursor(cursor, this.#keys, this.#column, binder(values))).setParameters(named(values));
    }
    for (const { field, direction } of this.#keys) {
      const nulls = field.nullable ? this.#dialect.nulls?.(direction) : undefined;
      page.addOrderBy(`${ALIAS}.${field.name}`, direction === 'asc' ? 'ASC' : 'DESC', nulls);
    }
    return page;
  }
}

/** Collects values, and gives their names in SQL. */
function binder(values: Bound[]): Bind {
  return (value) => `:search${values.push(value) - 1}`;
}

function named(values: readonly Bound[]): Record<string, Bound> {
  return Object.fromEntries(values.map((value, index) => [`search${index}`, value]));
}

function columns(query: SelectQueryBuilder<ManagedFile>): (field: Field) => string {
  const { metadata } = query.expressionMap.mainAlias ?? {};
  return ({ name }) => {
    const column = metadata?.findColumnWithPropertyName(name)?.databaseName ?? name;
    return `${query.escape(ALIAS)}.${query.escape(column)}`;
  };
}

function assertOptions(options: unknown): asserts options is SearchOptions {
  if (!isPlainObject(options)) throw new SearchQueryInvalidError('options', `${show(options)} is not an object`);
  const unknown = Object.keys(options).find((name) => !OPTIONS.has(name));
  if (unknown !== undefined)
    throw new SearchQueryInvalidError(show(unknown), `there is no such option. Options are ${[...OPTIONS].join(', ')}`);
}

function assertWithin(name: string, value: unknown, most: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
    throw new SearchQueryInvalidError(name, `${show(value)} is not a whole number from 0 to ${most}`);
}
