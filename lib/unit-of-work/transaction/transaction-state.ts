/** Runs before the COMMIT, in the transaction; what it throws rolls everything back. */
export type BeforeCommit = () => Promise<void>;

/** What is kept about one transaction of the database for as long as it is open, whoever opened it. */
export class TransactionState {
  readonly #slots = new Map<symbol, unknown>();
  readonly #hooks = new Set<BeforeCommit>();
  #undone = 0;

  /** How often a part of the transaction was rolled back to a savepoint. */
  get undone(): number {
    return this.#undone;
  }

  /** Notes that a part of the transaction was rolled back to a savepoint. */
  noteUndone(): void {
    this.#undone++;
  }

  /** State that belongs to the transaction, made when it is first asked for. */
  slot<T>(key: symbol, create: () => T): T {
    if (!this.#slots.has(key)) this.#slots.set(key, create());
    return this.#slots.get(key) as T;
  }

  /** The slot's state, if it was made. */
  peek<T>(key: symbol): T | undefined {
    return this.#slots.get(key) as T | undefined;
  }

  beforeCommit(hook: BeforeCommit): void {
    this.#hooks.add(hook);
  }

  /** Whether anything is to run before the COMMIT. */
  get hasHooks(): boolean {
    return this.#hooks.size > 0;
  }

  /** Runs the hooks, also those that are added meanwhile, each until it has succeeded once: a COMMIT that one refused is refused again. */
  async runHooks(): Promise<void> {
    for (const hook of this.#hooks) {
      // It may be added again while it runs.
      this.#hooks.delete(hook);
      try {
        await hook();
      } catch (error) {
        this.#hooks.add(hook);
        throw error;
      }
    }
  }
}
