import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { QueryRunner } from 'typeorm';

/** Runs before the COMMIT, in the transaction; an error rolls everything back. */
type BeforeCommit = () => Promise<void>;

/** A part of a transaction, since a savepoint. */
interface Part {
  /** TypeORM's `transactionDepth` inside the part. */
  readonly depth: number;
  /** The functions that restore the state at its beginning. */
  readonly restores: (() => void)[];
}

/** The state of one open transaction of the database, opened by a unit or by the application. */
export class TransactionState {
  readonly #slots = new Map<symbol, unknown>();
  readonly #hooks = new Set<BeforeCommit>();
  readonly #parts: Part[] = [];
  #undoneParts = 0;
  #undone = 0;

  /**
   * How often an unknown part was undone, for example because the application sent a `ROLLBACK TO SAVEPOINT` as SQL.
   */
  get undone(): number {
    return this.#undone;
  }

  /** Notes that an unknown part of the transaction was undone. */
  noteUndone(): void {
    this.#undone++;
  }

  /** Whether the transaction is in a part that may be undone. */
  get isInPart(): boolean {
    return this.#parts.length > 0;
  }

  /** Registers `restore`, which is called if the open part is undone; the last one first. */
  onUndo(restore: () => void): void {
    this.#parts.at(-1)?.restores.push(restore);
  }

  /** Sets the entry, or deletes it where the value is undefined; undone with the part that is open now. */
  setUndoable<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    const put = (it: V | undefined): unknown => (it === undefined ? map.delete(key) : map.set(key, it));
    put(value);
    this.onUndo(() => void put(before));
  }

  /** Notes that a part has begun. A second call has no effect. */
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

  /** Removes the part and those in it, the innermost first. */
  #takeParts(depth: number): Part[] {
    const at = this.#parts.findIndex((part) => part.depth >= depth);
    return at < 0 ? [] : this.#parts.splice(at).reverse();
  }

  /** State of the transaction, made on first use. */
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

  /**
   * Runs the hooks, including those that are added while hooks run. A hook that failed stays, and runs again before the
   * next attempt to commit.
   */
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

// TypeORM counts a transaction and its savepoints in a protected field, and names the savepoints by it.
interface Counting {
  transactionDepth: number;
}

/** 0 outside of a transaction, 1 in one, one more for each savepoint. */
export function depthOf(runner: QueryRunner): number {
  return (runner as unknown as Counting).transactionDepth;
}

export function setDepth(runner: QueryRunner, depth: number): void {
  (runner as unknown as Counting).transactionDepth = depth;
}

/** An open savepoint, and who may end it: a nested unit's scope or a query runner. */
export interface Savepoint {
  readonly owner: object;
  /** The unit that work in here belongs to; none in a transaction that was started by hand. */
  readonly scope: Origin | undefined;
  /** How many witnesses there were before it. */
  readonly witnesses: number;
}

/** The open savepoints of a transaction: the last one opened ends first. */
export class Savepoints {
  readonly #open: (Savepoint & { shared: boolean })[] = [];

  get areOpen(): boolean {
    return this.#open.length > 0;
  }

  push(savepoint: Savepoint): void {
    this.#open.push({ ...savepoint, shared: false });
  }

  /**
   * Removes and returns the last savepoint, if it belongs to `owner`. `shared` means that another caller has written
   * since it was opened: a rollback would undo that write, too.
   */
  pop(owner: object): (Savepoint & { readonly shared: boolean }) | undefined {
    return this.#open.at(-1)?.owner === owner ? this.#open.pop() : undefined;
  }

  /**
   * Notes that `scope` sent a writing statement through the query runner `through`. Savepoints that it does not belong
   * to become shared.
   */
  noteWrite(scope: Origin, through: object): void {
    for (const savepoint of this.#open) {
      const { owner, scope: inner } = savepoint;
      const inside = inner ? scope.isWithin(inner) : owner === through || scope.isOpenedBy(owner);
      savepoint.shared ||= !inside;
    }
  }
}

/** The streams of rows that a transaction has open. */
export class OpenStreams {
  readonly #streams = new Set<Readable>();
  #isOver = false;

  /** Resolves once the stream has been closed. Its errors reach the reader; here only its end counts. */
  async closed(stream: Readable): Promise<void> {
    this.#streams.add(stream);
    if (this.#isOver) stream.destroy();
    await finished(stream, { readable: true, writable: false }).catch(() => undefined);
    this.#streams.delete(stream);
  }

  /** Destroys them, and each one that is opened from now on. */
  destroy(): void {
    this.#isOver = true;
    for (const stream of this.#streams) stream.destroy();
  }
}

/** Where a statement of a transaction comes from: a scope, as the transaction sees it. */
export interface Origin {
  /** Throws `UnitEndedError` once it has ended. */
  assertActive(what: string): void;
  /** Counts a statement as running, until `endStatement()`. */
  beginStatement(): void;
  endStatement(): void;
  /** Counts a stream as running, until `closeStream()` or until its reader is done with it. */
  openStream(stream: Readable): void;
  closeStream(stream: Readable): void;
  /** Whether this is the other scope, or nested in it. */
  isWithin(other: Origin): boolean;
  /** Whether `transaction()` of this query runner opened this scope, or a scope around it. */
  isOpenedBy(runner: object): boolean;
}
