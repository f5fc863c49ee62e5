/** Runs before the COMMIT, in the transaction; what it throws rolls everything back. */
export type BeforeCommit = () => Promise<void>;

/** A part of a transaction, since a savepoint. */
interface Part {
  /** How deep the transaction is in it, as TypeORM counts. */
  readonly depth: number;
  /** What brings back what was kept when it began. */
  readonly restores: (() => void)[];
}

/** What is kept about one transaction of the database for as long as it is open, whoever opened it. */
export class TransactionState {
  readonly #slots = new Map<symbol, unknown>();
  readonly #hooks = new Set<BeforeCommit>();
  readonly #parts: Part[] = [];
  #undoneParts = 0;
  #undone = 0;

  /** How often something was undone of which nobody can say what it was: by a savepoint that the application made itself. */
  get undone(): number {
    return this.#undone;
  }

  /** Notes that a part of the transaction was undone, and that nobody can say which. */
  noteUndone(): void {
    this.#undone++;
  }

  /** Whether the transaction is in a part that may be undone. */
  get isInPart(): boolean {
    return this.#parts.length > 0;
  }

  /** Has `restore` called if the part that is open now is undone; the last one first. */
  onUndo(restore: () => void): void {
    this.#parts.at(-1)?.restores.push(restore);
  }

  /** Notes that a part has begun; once, if it is told so twice. */
  beginPart(depth: number): void {
    if (this.#parts.at(-1)?.depth !== depth) this.#parts.push({ depth, restores: [] });
  }

  /** Notes that a part has ended well: it belongs to the one around it. */
  endPart(depth: number): void {
    for (const { restores } of this.#takeParts(depth).reverse()) {
      for (const restore of restores) this.onUndo(restore);
    }
  }

  /** How often a part was undone. */
  get undoneParts(): number {
    return this.#undoneParts;
  }

  /** Notes that a part was undone, with those in it. */
  undoPart(depth: number): void {
    this.#undoneParts++;
    for (const { restores } of this.#takeParts(depth)) for (const restore of restores.reverse()) restore();
  }

  /** Takes off the part and those in it, the innermost first. */
  #takeParts(depth: number): Part[] {
    const at = this.#parts.findIndex((part) => part.depth >= depth);
    return at < 0 ? [] : this.#parts.splice(at).reverse();
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
