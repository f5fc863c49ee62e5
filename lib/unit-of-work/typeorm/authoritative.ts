import type { DataSource, ObjectLiteral, QueryRunner, SelectQueryBuilder } from 'typeorm';
import { ambientOf } from '../scopes/here.js';
import { overrideMember } from './override-member.js';
import { dataSourceOf } from './data-source-of.js';

type Query = SelectQueryBuilder<ObjectLiteral>;

const entities = new WeakSet<object>();
const sources = new WeakSet<DataSource>();

/** Marks an entity whose rows decide: they are read from the master and never from a cache, unless a query explicitly asks for one. */
export function Authoritative(): ClassDecorator {
  return (target) => void entities.add(target);
}

/** Whether the target of an entity's metadata is marked so. */
export function isAuthoritative(target: unknown): boolean {
  return typeof target === 'function' && entities.has(target);
}

/** Sees to both for the marked entities of the data source; the function it returns takes that back. */
export function readAuthoritatively(dataSource: DataSource): () => void {
  if (sources.has(dataSource)) return () => undefined;
  sources.add(dataSource);
  const create = dataSource.createQueryBuilder.bind(dataSource) as (...args: unknown[]) => Query;
  const createQueryBuilder = (...args: unknown[]): Query => {
    const query = create(...args);
    return isAuthoritative(query.expressionMap.mainAlias?.target) ? authoritative(query) : query;
  };
  const restore = [
    overrideMember(dataSource, 'createQueryBuilder', createQueryBuilder as DataSource['createQueryBuilder']),
    ...bypassCacheInUnits(dataSource),
  ];
  return () => {
    sources.delete(dataSource);
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
 * With `alwaysEnabled`, TypeORM answers from its cache what a unit of work locks, and what `save()` compares with, and keeps rows
 * that are not committed yet.
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
