import type { DataSource, EntityManager } from 'typeorm';
import type { Effect } from './effects.js';
import type { Scope } from './scope.js';

/** One call's transaction, or its part of the caller's: what it did becomes permanent as a whole or not at all. */
export class UnitOfWork {
  readonly #slots = new Map<symbol, unknown>();
  readonly #effects: Effect[] = [];
  #manager: EntityManager | undefined;

  constructor(
    private readonly scope: Scope,
    readonly parent: UnitOfWork | undefined,
  ) {
    scope.unit = this;
  }

  get dataSource(): DataSource {
    return this.scope.dataSource;
  }

  /** An entity manager in this unit's transaction; injected repositories and managers are in it by themselves. */
  get manager(): EntityManager {
    return (this.#manager ??= this.scope.transaction.facades.create(this.scope).manager);
  }

  get root(): UnitOfWork {
    return this.parent?.root ?? this;
  }

  get isActive(): boolean {
    return this.scope.isActive;
  }

  /** Runs `effect` after the root unit has committed, outside of any unit, in the order of the calls; a failure is logged. */
  afterCommit(effect: () => unknown): void {
    this.scope.assertActive('afterCommit() was called');
    this.#effects.push({ when: 'commit', run: effect });
  }

  /** Runs `effect` once this unit's work has been undone, by itself or by an outer unit; a failure is logged. */
  afterRollback(effect: () => unknown): void {
    this.scope.assertActive('afterRollback() was called');
    this.#effects.push({ when: 'rollback', run: effect });
  }

  /** State that belongs to this unit, made when it is first asked for. */
  slot<T>(key: symbol, create: () => T): T {
    if (!this.#slots.has(key)) this.#slots.set(key, create());
    return this.#slots.get(key) as T;
  }

  /** The slot's state, if it was made. */
  peek<T>(key: symbol): T | undefined {
    return this.#slots.get(key) as T | undefined;
  }

  /** The effects that are waiting for the end. */
  get effects(): readonly Effect[] {
    return this.#effects;
  }

  /** Takes over what a nested unit left: its effects wait for this one's end; if it was undone, only its rollback's. */
  adopt(effects: readonly Effect[], undone: boolean): void {
    if (!undone) this.#effects.push(...effects);
    else
      this.#effects.push(
        ...effects.filter(({ when }) => when !== 'commit').map(({ run }) => ({ when: 'end' as const, run })),
      );
  }
}
