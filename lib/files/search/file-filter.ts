import type { ManagedFile } from '../managed-file.entity.js';
import type { OwnerReference } from '../owner-reference.js';
import type { OwnerTypeName } from '../owner-type-name.js';

/** A column of a file, by its name on the entity. */
export type FileColumn = Exclude<keyof ManagedFile, 'toJSON'>;

/** A column whose value is JSON; filters may look into it. */
export type FileDataColumn = 'storageData' | 'metadata';

/** A column that files can be ordered by. */
export type FileSortField = Exclude<FileColumn, FileDataColumn>;

interface Comparisons<T> {
  $eq?: T | null;
  /** Another value; a file without one does not match. */
  $ne?: T | null;
  $lt?: T;
  $lte?: T;
  $gt?: T;
  $gte?: T;
  $in?: readonly (T | null)[];
  $is?: T | null;
  /** Not this value: a file without one matches. */
  $isnot?: T | null;
}

interface Patterns {
  /** `%` matches any text, `_` any character; `\` escapes the next character. */
  $like?: string;
  /** As `$like`, without regard to case; beyond ASCII that depends on the database. */
  $ilike?: string;
}

type Operators<T> = T extends boolean
  ? Pick<Comparisons<T>, '$eq' | '$ne' | '$in' | '$is' | '$isnot'>
  : Comparisons<T> & (T extends string ? Patterns : unknown);

/** A comparison: a plain value means equal, a list means any of its items, null means no value. */
export type FileCondition<T> = T | null | readonly (T | null)[] | Operators<T>;

/** A comparison of what is no free text, so that it has no patterns. */
type PlainCondition<T> = T | null | readonly (T | null)[] | Comparisons<T>;

type JsonScalar = string | number | boolean | Date;
type JsonOperators = Comparisons<JsonScalar> & Patterns;

/** Conditions on JSON, by the keys that lead to the value. */
export type FileDataFilter =
  JsonScalar | null | readonly (JsonScalar | null)[] | JsonOperators | { readonly [key: string]: FileDataFilter };

interface ColumnConditions {
  id: PlainCondition<string>;
  /** A date, or its ISO 8601 text with an offset. */
  createdAt: PlainCondition<Date | string>;
  replacedAt: PlainCondition<Date | string>;
  expiresAt: PlainCondition<Date | string>;
  size: FileCondition<number>;
  pinned: FileCondition<boolean>;
}

type ColumnFilter = {
  [K in FileSortField]?: K extends keyof ColumnConditions ? ColumnConditions[K] : FileCondition<string>;
};

type DataFilter = { [K in FileDataColumn]?: FileDataFilter };
type PathFilter = { [path: `${FileDataColumn}.${string}`]: FileDataFilter };

/**
 * A filter of files. All of its conditions must hold.
 * @example
 * { ownerType: 'package', size: { $gt: 1024 }, $or: [{ name: { $ilike: '%.pdf' } }, { 'metadata.draft': true }] }
 */
export type FileFilter = ColumnFilter &
  DataFilter &
  PathFilter & {
    /** One of these owners; null means unowned. */
    owner?: OwnerReference | null | readonly (OwnerReference | null)[];
    /** All of them hold. */
    $and?: readonly FileFilter[];
    /** One of them holds. */
    $or?: readonly FileFilter[];
  };

export type SortDirection = 'asc' | 'desc';
export type SortTerm = FileSortField | readonly [field: FileSortField, direction: SortDirection];

/** A field, a field with its direction, or a list of these. Missing values come first. */
export type FileSort = SortTerm | readonly SortTerm[];

export interface PageOptions {
  /** @default 'id', the order in which files were made */
  sort?: FileSort;
  /** How many files to leave out. @default 0 */
  offset?: number;
  /** How many files to give, at most 1000. @default 10 */
  limit?: number;
  /** The `next` of the page before, searched with the same `sort`. */
  cursor?: string | null;
}

/** The filter, the order and the page of a search. */
export interface SearchOptions extends PageOptions {
  /** All files without it. */
  filters?: FileFilter;
}

/** The owner, the filter and the page of a scan. */
export interface ScanOptions extends SearchOptions {
  /** With `ownerId`. @default the actor of the current call */
  ownerType?: OwnerTypeName;
  /** With `ownerType`. */
  ownerId?: string;
}

/** A page of files. */
export interface FoundFiles {
  /** How many files match on all pages. */
  count: number;
  /** The files of this page. */
  results: ManagedFile[];
  /** The `cursor` of the next page; null on the last one. */
  next: string | null;
}
