import type { DataSource, SelectQueryBuilder } from 'typeorm';
import { SearchQueryError } from '../../errors/search-query.error.js';
import { ManagedFile } from '../managed-file.entity.js';
import { afterCursor, encodeCursor } from './cursor.js';
import { searchDialectFor } from './dialects/search-dialect-for.js';
import type { Field } from './fields.js';
import type { FileFilter, FoundFiles, SearchOptions } from './file-filter.js';
import { FilterCompiler } from './filter-compiler.js';
import { LIMITS } from './limits.js';
import { isPlainObject } from './plain-object.js';
import { show } from './show.js';
import { sortKeys } from './sort-order.js';
import type { SortKey } from './sort-order.js';
import type { Bound } from './values.js';

const OPTIONS = new Set(['filters', 'sort', 'start', 'rows', 'after']);
const ALIAS = 'file';

/**
 * One page of the files that match, of those within the `scope`. Throws `SearchQueryError` for what cannot be searched, before the
 * database is asked.
 */
export async function searchFiles(
  dataSource: DataSource,
  options: SearchOptions,
  scope?: FileFilter,
): Promise<FoundFiles> {
  assertOptions(options);
  const { filters = {}, start = 0, rows = 10, after = null } = options;
  assertWithin('start', start, Number.MAX_SAFE_INTEGER);
  assertWithin('rows', rows, LIMITS.rows);
  const keys = sortKeys(options.sort);
  const query = dataSource.getRepository(ManagedFile).createQueryBuilder(ALIAS);
  const dialect = searchDialectFor(dataSource.options.type);
  const column = columns(query);
  const values: Bound[] = [];
  const bind = (value: Bound): string => `:search${values.push(value) - 1}`;
  const compiler = new FilterCompiler(column, dialect, bind);
  if (scope) query.where(compiler.compile(scope, 'scope'));
  query.andWhere(compiler.compile(filters, 'filters')).setParameters(named(values));
  const page = query.clone();
  if (after !== null) page.andWhere(afterCursor(after, keys, column, bind)).setParameters(named(values));
  for (const { field, direction } of keys) {
    const nulls = field.nullable ? dialect.nulls(direction) : undefined;
    page.addOrderBy(`${ALIAS}.${field.name}`, direction === 'asc' ? 'ASC' : 'DESC', nulls);
  }
  const count = await query.getCount();
  if (count === 0 || rows === 0) return { count, results: [], next: null };
  // One more than asked for tells whether there is a next page.
  const found = await page
    .limit(rows + 1)
    .offset(start)
    .getMany();
  const results = found.slice(0, rows);
  return { count, results, next: found.length > rows ? cursorOf(results.at(-1), keys) : null };
}

function cursorOf(last: ManagedFile | undefined, keys: readonly SortKey[]): string | null {
  return last ? encodeCursor(last, keys) : null;
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
  if (!isPlainObject(options)) throw new SearchQueryError('options', `${show(options)} is not an object`);
  const unknown = Object.keys(options).find((name) => !OPTIONS.has(name));
  if (unknown !== undefined)
    throw new SearchQueryError(show(unknown), `there is no such option. Options are ${[...OPTIONS].join(', ')}`);
}

function assertWithin(name: string, value: unknown, most: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
    throw new SearchQueryError(name, `${show(value)} is not a whole number from 0 to ${most}`);
}
