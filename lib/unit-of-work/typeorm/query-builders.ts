import type { DataSource, EntityMetadata, ObjectLiteral, QueryRunner, SelectQueryBuilder } from 'typeorm';
import { ambientOf } from '../scopes/here.js';
import { dataSourceOf, keepWith, keptWith } from './data-source.js';
import type { Connected } from './data-source.js';
import { overrideMember } from './override-member.js';

type Values = Readonly<Record<string, unknown>>;

/** The state of a query builder from which TypeORM writes the statement. */
interface Expression {
  readonly mainAlias?: { readonly hasMetadata: boolean; readonly metadata: EntityMetadata };
  readonly queryType: 'select' | 'insert' | 'update' | 'delete' | 'soft-delete' | 'restore' | 'relation';
  /** One or several for an insertion, one for an update. */
  valuesSet?: Values | readonly Values[] | undefined;
  readonly whereEntities: readonly ObjectLiteral[];
  readonly wheres: readonly { readonly type: string; readonly condition: unknown }[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly insertFromSelect?: unknown;
  readonly onConflict?: string;
  readonly onIgnore?: unknown;
  readonly onUpdate?: { readonly overwrite?: readonly string[]; readonly conflict?: string | readonly string[] };
  readonly commonTableExpressions: readonly { readonly alias: string }[];
  updateEntity: boolean;
  readonly callListeners: boolean;
}

/**
 * A query builder that writes: TypeORM makes one for every write but raw SQL, of repositories, managers, cascades and
 * relations too.
 */
export type WriteBuilder = Connected & {
  readonly expressionMap: Expression;
  queryRunner?: QueryRunner | undefined;
  execute(): Promise<unknown>;
  getQueryAndParameters(): [sql: string, parameters: unknown[]];
  delete(): WriteBuilder;
  clone(): WriteBuilder;
};

/** Called in place of a write; `execute` does it. */
type WriteWatch = (builder: WriteBuilder, execute: () => Promise<unknown>) => Promise<unknown>;

/**
 * Calls `watch` around every write through a query builder of this data source; the returned function ends that.
 * All builders come from `dataSource.createQueryBuilder()`, on the instance, like query runners, or from one another.
 */
export function watchWrites(dataSource: DataSource, watch: WriteWatch): () => void {
  const create = dataSource.createQueryBuilder.bind(dataSource) as (...args: unknown[]) => object;
  const watched = watcher(create().constructor as BuilderClass, watch);
  const createWatched = (...args: unknown[]): unknown => watched(create(...args));
  return overrideMember(dataSource, 'createQueryBuilder', createWatched as DataSource['createQueryBuilder']);
}

type Method = (this: object, ...args: unknown[]) => unknown;
type BuilderClass = new (...args: unknown[]) => object;

/** The methods that turn one builder into one of another class. */
const TURNS = ['select', 'insert', 'update', 'delete', 'softDelete', 'restore', 'relation'];

/**
 * Makes builders watched: they become of a class whose writes are watched, and that turns them into watched builders
 * only. So do their clones and the builders that they create, because TypeORM makes these by their constructor.
 */
function watcher(selecting: BuilderClass, watch: WriteWatch): <T extends object>(builder: T) => T {
  const classes = new Map<unknown, BuilderClass>();

  function watchedClass(base: BuilderClass): BuilderClass {
    const watchedOne = class extends base {};
    const methods = base.prototype as Record<string, Method>;
    const define = (name: string, value: Method): void => {
      Object.defineProperty(watchedOne.prototype, name, { value, writable: true, configurable: true });
    };
    for (const turn of TURNS) {
      const inner = methods[turn] as Method;
      define(turn, function (...args) {
        return watched(inner.apply(this, args) as object);
      });
    }
    if (base !== selecting) {
      const inner = methods['execute'] as Method;
      define('execute', function () {
        return watch(this as WriteBuilder, () => inner.call(this) as Promise<unknown>);
      });
    }
    classes.set(base, watchedOne).set(watchedOne, watchedOne);
    return watchedOne;
  }

  function watched<T extends object>(builder: T): T {
    const base = builder.constructor as BuilderClass;
    const { prototype } = classes.get(base) ?? watchedClass(base);
    return Object.setPrototypeOf(builder, prototype as object) as T;
  }
  return watched;
}

type Query = SelectQueryBuilder<ObjectLiteral>;

const entities = new WeakSet<object>();
const READ_AUTHORITATIVELY = Symbol('nestjs-files:read-authoritatively');

/**
 * Marks an entity whose rows decide: they are read from the master and never from a cache, unless a query explicitly
 * asks for one.
 */
export function Authoritative(): ClassDecorator {
  return (target) => void entities.add(target);
}

/** Whether the target of an entity's metadata is marked so. */
export function isAuthoritative(target: unknown): boolean {
  return typeof target === 'function' && entities.has(target);
}

/** Ensures both for the marked entities of the data source; the returned function takes that back. */
export function readAuthoritatively(dataSource: DataSource): () => void {
  if (keptWith(dataSource, READ_AUTHORITATIVELY)) return () => undefined;
  const create = dataSource.createQueryBuilder.bind(dataSource) as (...args: unknown[]) => Query;
  const createQueryBuilder = (...args: unknown[]): Query => {
    const query = create(...args);
    return isAuthoritative(query.expressionMap.mainAlias?.target) ? authoritative(query) : query;
  };
  const restore = [
    overrideMember(dataSource, 'createQueryBuilder', createQueryBuilder as DataSource['createQueryBuilder']),
    ...bypassCacheInUnits(dataSource),
  ];
  keepWith(dataSource, READ_AUTHORITATIVELY, restore);
  return () => {
    keepWith(dataSource, READ_AUTHORITATIVELY, undefined);
    for (const undo of restore) undo();
  };
}

function authoritative(query: Query): Query {
  query.expressionMap.cache = false;
  const dataSource = dataSourceOf(query);
  if (!dataSource.driver.isReplicated) return query;
  const clone = query.clone.bind(query);
  return Object.assign(query, {
    clone: () => authoritative(clone()),
    obtainQueryRunner(this: { queryRunner?: QueryRunner }): QueryRunner {
      return this.queryRunner ?? dataSource.createQueryRunner('master');
    },
  });
}

/**
 * With `alwaysEnabled`, TypeORM would use its cache for locking reads of a unit of work and for the comparison of
 * `save()`, and would cache uncommitted rows.
 */
function bypassCacheInUnits(dataSource: DataSource): (() => void)[] {
  const { queryResultCache, options } = dataSource;
  const isAlways = typeof options.cache === 'object' && options.cache.alwaysEnabled === true;
  if (!queryResultCache || !isAlways) return [];
  const isInUnit = (): boolean => ambientOf(dataSource)?.kind === 'scope';
  const { getFromCache, storeInCache } = queryResultCache;
  return [
    overrideMember(queryResultCache, 'getFromCache', async (...args: Parameters<typeof getFromCache>) =>
      isInUnit() ? undefined : getFromCache.apply(queryResultCache, args),
    ),
    overrideMember(queryResultCache, 'storeInCache', async (...args: Parameters<typeof storeInCache>) =>
      isInUnit() ? undefined : storeInCache.apply(queryResultCache, args),
    ),
  ];
}
