import { Inject, Injectable, Optional } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { RuntimeMissingError } from '../errors/setup.errors.js';
import { ActorSource } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';
import { ContentStore } from '../files/content/content-store.js';
import { DerivedFiles } from '../files/derived/derived-files.js';
import { StoredHooks } from '../files/stored/stored-hooks.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { OpenTransaction, UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ownerEntitiesOf } from './owner-entities.js';
import type { OwnerClass } from './owner-entities.js';
import { Quotas } from './quotas/quotas.js';
import type { FileSnapshot, TransferStatements } from './statements/transfer-statements.js';
import { transferStatementsFor } from './statements/transfer-statements-for.js';
import { readValidationOptions, VALIDATION_OPTIONS } from './validation-options.js';
import type { CheckedValidationOptions } from './validation-options.js';

/**
 * Whether an actor may see a file: `unknown` if no policy decides, because the file has no owner, or because the
 * owner's type is not in `cascade`. A response may reveal the existence of `shown` files only.
 */
export type Sight = 'shown' | 'hidden' | 'unknown';

/**
 * Returns for each file's id whether the actor may see the file. The owners' policies are called once for all files.
 */
export type FileSight = (actor: Actor | null, files: readonly FileSnapshot[]) => Promise<ReadonlyMap<string, Sight>>;

export const FILE_SIGHT = Symbol('FILE_SIGHT');

/** Which of the owners of a type the actor may change. */
export type ChangeableOwners = (
  actor: Actor | null,
  ownerType: string,
  ids: readonly string[],
) => Promise<ReadonlySet<string>>;

export const CHANGEABLE_OWNERS = Symbol('CHANGEABLE_OWNERS');

/** The application's `isManager` option: whether the actor is a manager. */
export type ManagerCheck = (actor: Actor | null) => boolean | Promise<boolean>;

export const MANAGER_CHECK = Symbol('MANAGER_CHECK');

/** The application's `scanning.attachPending` option: whether files may be attached before they are scanned. */
export const ATTACH_PENDING = Symbol('ATTACH_PENDING');

export const PREPARED_STATEMENTS = Symbol('PREPARED_STATEMENTS');

interface Acting {
  readonly actor: Actor | null;
  readonly isManager: boolean;
}

/** Stands for the actor where the library sees no call. One object, because lookups are grouped by it. */
export const NOBODY: Promise<Actor | null> = Promise.resolve(null);

const live = new Map<DataSource, TransferRuntime>();

/** The runtimes that can read files. If an application is not closed, its runtime counts until its data source ends. */
function runtimes(): TransferRuntime[] {
  return [...live.values()].filter(({ isRunning }) => isRunning);
}

/**
 * What tasks and constraints need from an application. Nest does not create them, so they find this object by the data
 * source of their unit of work. No two applications share a data source.
 */
@Injectable()
export class TransferRuntime implements OnModuleInit {
  readonly #acting = new WeakMap<Promise<Actor | null>, Promise<Acting>>();
  #statements: TransferStatements | undefined;
  #ownerEntities: readonly OwnerClass[] | undefined;
  #ownerTypes: ReadonlySet<string> | undefined;

  constructor(
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    readonly content: ContentStore,
    readonly quotas: Quotas,
    @Optional() @Inject(MANAGER_CHECK) private readonly check: ManagerCheck = () => false,
    @Optional() @Inject(PREPARED_STATEMENTS) private readonly prepared = true,
    @Optional() @Inject(VALIDATION_OPTIONS) readonly validation: CheckedValidationOptions = readValidationOptions(),
    @Optional() @Inject(FILE_SIGHT) private readonly sightOf?: FileSight,
    @Optional() @Inject(CHANGEABLE_OWNERS) private readonly changeableOf?: ChangeableOwners,
    @Optional() readonly hooks?: StoredHooks,
    @Optional() @Inject(ATTACH_PENDING) readonly attachPending = true,
    @Optional() readonly derived?: DerivedFiles,
  ) {}

  /** The runtime of the application that has the data source; throws if its FilesModule is missing or does not run. */
  static of(dataSource: DataSource): TransferRuntime {
    const runtime = live.get(dataSource);
    if (!runtime)
      throw new RuntimeMissingError('The data source of the unit of work belongs to no running FilesModule');
    return runtime;
  }

  /** The only runtime there is, for checks outside of a unit of work. */
  static only(): TransferRuntime {
    const running = runtimes();
    const [runtime, ...others] = running;
    if (!runtime) throw new RuntimeMissingError('A file was validated while no FilesModule is running');
    if (others.length > 0) {
      throw new RuntimeMissingError(
        `A file was validated outside of a unit of work, and ${running.length} applications with FilesModule run in this process, ` +
          'so the library cannot know which of them has the file. Put @WithTaskQueue() on the handler',
      );
    }
    return runtime;
  }

  /** The validation options of the application in which the validation runs. */
  static validation(): CheckedValidationOptions {
    const unit = currentUnit();
    const [only, ...others] = runtimes();
    const runtime = (unit && live.get(unit.dataSource)) ?? (others.length === 0 ? only : undefined);
    return runtime?.validation ?? readValidationOptions();
  }

  get dataSource(): DataSource {
    return this.transactor.dataSource;
  }

  get isRunning(): boolean {
    return this.dataSource.isInitialized && !this.transactor.isEnding;
  }

  get statements(): TransferStatements {
    // Made late: the names of the columns are known only when the data source is initialized.
    return (this.#statements ??= transferStatementsFor(this.dataSource, this.prepared));
  }

  /** The entities that own files. */
  get ownerEntities(): readonly OwnerClass[] {
    return (this.#ownerEntities ??= ownerEntitiesOf(this.dataSource));
  }

  /** The owner types of these entities. */
  get ownerTypes(): ReadonlySet<string> {
    return (this.#ownerTypes ??= new Set(this.ownerEntities.map(({ ownerType }) => ownerType)));
  }

  /**
   * The actor who sees files now; undefined if there are no policies to ask. `NOBODY` where the library sees no call:
   * there may be one all the same, such as a gateway's, and its client must not learn what files there are.
   */
  viewer(): Promise<Actor | null> | undefined {
    return this.sightOf && (this.actors.known() ?? NOBODY);
  }

  /** How the actor sees files that it does not own itself. */
  sight(actor: Actor | null, files: readonly FileSnapshot[]): Promise<ReadonlyMap<string, Sight>> {
    return this.sightOf ? this.sightOf(actor, files) : Promise.resolve(new Map());
  }

  /** Which of the owners the actor may change: all of them if there is no policy to ask. */
  async changeable(actor: Actor | null, ownerType: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.changeableOf ? this.changeableOf(actor, ownerType, ids) : new Set(ids);
  }

  /** Runs `work` in the transaction's current unit of work, so that it is undone with that unit. */
  inUnit<T>({ unit, manager }: OpenTransaction, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    return unit ? work(unit.innermost) : this.transactor.run(work, { manager });
  }

  onModuleInit(): void {
    live.set(this.dataSource, this);
    this.transactor.atClose(() => this.end());
  }

  /** Called when the transactor ends: until then, requests are served. */
  end(): void {
    if (live.get(this.dataSource) === this) live.delete(this.dataSource);
  }

  /**
   * The actor of the current call, and whether it is a manager. `isManager` is called once for each call and each
   * `actAs()`, and outside of both each time: the application may use one actor object for long, and who is a manager
   * changes.
   */
  actor(): Promise<Acting> {
    const actor = this.actors.current();
    let acting = this.#acting.get(actor);
    if (acting === undefined) this.#acting.set(actor, (acting = this.#describe(actor)));
    return acting;
  }

  async #describe(current: Promise<Actor | null>): Promise<Acting> {
    const actor = await current;
    return { actor, isManager: (await this.check(actor)) === true };
  }
}
