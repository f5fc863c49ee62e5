import type { DataSource, EntityMetadata, ObjectLiteral, QueryRunner, SelectQueryBuilder } from 'typeorm';
import type { Connected } from './data-source-of.js';
import { overrideMember } from './override-member.js';

type Values = Readonly<Record<string, unknown>>;

/** What TypeORM knows of a statement before it writes it. */
interface Expression {
  readonly mainAlias?: { readonly hasMetadata: boolean; readonly metadata: EntityMetadata };
  readonly queryType: 'select' | 'insert' | 'update' | 'delete' | 'soft-delete' | 'restore' | 'relation';
  /** Of an insertion, one or several; of an update, one. */
  valuesSet?: Values | readonly Values[] | undefined;
  readonly whereEntities: readonly ObjectLiteral[];
  readonly wheres: readonly { readonly type: string; readonly condition: unknown }[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly insertFromSelect?: unknown;
  readonly onConflict?: string;
  readonly onIgnore?: unknown;
  readonly onUpdate?: { readonly overwrite?: readonly string[]; readonly conflict?: string | readonly string[] };
  updateEntity: boolean;
  readonly callListeners: boolean;
}

/** A query builder that writes: TypeORM makes one for every write but raw SQL, of repositories, managers, cascades and relations too. */
export type WriteBuilder = Connected & {
  readonly expressionMap: Expression;
  queryRunner?: QueryRunner | undefined;
  execute(): Promise<unknown>;
  getQueryAndParameters(): [sql: string, parameters: unknown[]];
  delete(): WriteBuilder;
  clone(): WriteBuilder;
};

/** Called in place of a write; `execute` does it. */
export type WriteWatch = (builder: WriteBuilder, execute: () => Promise<unknown>) => Promise<unknown>;

/**
 * Lets `watch` be called around every write that goes through a query builder of this data source; the function it returns ends that.
 * All builders come from `dataSource.createQueryBuilder()`, on the instance, like query runners.
 */
export function watchWrites(dataSource: DataSource, watch: WriteWatch): () => void {
  const create = dataSource.createQueryBuilder.bind(dataSource) as (...args: unknown[]) => SelectQueryBuilder<object>;
  const { prototype } = watchedClass(create().constructor as BuilderClass, watch);
  const watched = (...args: unknown[]): unknown => Object.setPrototypeOf(create(...args), prototype);
  return overrideMember(dataSource, 'createQueryBuilder', watched as DataSource['createQueryBuilder']);
}

// oxlint-disable-next-line typescript/no-explicit-any -- a mixin class takes any arguments
type BuilderClass = new (...args: any[]) => SelectQueryBuilder<object>;

/** A builder of this class makes builders that are watched; so do its clones, because TypeORM makes these by their constructor. */
function watchedClass(base: BuilderClass, watch: WriteWatch): BuilderClass {
  const around = <T>(builder: T): T => {
    const write = builder as unknown as WriteBuilder;
    const execute = write.execute.bind(write);
    write.execute = () => watch(write, execute);
    return builder;
  };
  return class extends base {
    override insert(): ReturnType<SelectQueryBuilder<object>['insert']> {
      return around(super.insert());
    }

    override update(...args: unknown[]): never {
      return around((super.update as (...given: unknown[]) => unknown)(...args)) as never;
    }

    override delete(): ReturnType<SelectQueryBuilder<object>['delete']> {
      return around(super.delete());
    }

    override softDelete(): ReturnType<SelectQueryBuilder<object>['softDelete']> {
      return around(super.softDelete());
    }

    override restore(): ReturnType<SelectQueryBuilder<object>['restore']> {
      return around(super.restore());
    }

    override relation(...args: unknown[]): never {
      const relation = (super.relation as (...given: unknown[]) => object)(...args);
      // It writes through builders of its own kind.
      return Object.assign(relation, {
        createQueryBuilder: (runner?: QueryRunner) => this.createQueryBuilder(runner),
      }) as never;
    }
  };
}
