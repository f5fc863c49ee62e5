import type { Readable } from 'node:stream';
import type { DataSource } from 'typeorm';
import type { AmbientNode } from './ambient.js';
import type { Effect } from './effects.js';
import { WorkUnawaitedError, UnitEndedError } from '../../errors/units.errors.js';
import { Mutex } from '../mutex.js';
import type { Origin } from '../transaction/transaction-state.js';
import type { UnitTransaction } from '../transaction/unit-transaction.js';

/** A place in the nesting of one transaction: a unit of work, or the callback of a nested `transaction()`. */
export class Scope implements AmbientNode, Origin {
  readonly kind = 'scope';
  #ended = false;
  #undone = false;
  #nested = 0;
  #statements = 0;
  #streams: Set<Readable> | undefined;
  #nesting: Mutex | undefined;
  #unit: object | undefined;
  readonly #effects: Effect[] = [];
  #late: ((effect: Effect) => void) | undefined;

  constructor(
    readonly transaction: UnitTransaction,
    readonly parent: Scope | undefined,
    readonly enclosing: AmbientNode | undefined,
    /** The query runner whose `transaction()` made this scope; none for a unit. */
    readonly openedBy?: object,
  ) {}

  get dataSource(): DataSource {
    return this.transaction.dataSource;
  }

  get isActive(): boolean {
    return !this.#ended && !this.transaction.isSealed;
  }

  /** Whether its work was undone before the end of the root. */
  get isUndone(): boolean {
    return this.#undone || (this.parent?.isUndone ?? false);
  }

  /** The unit of work that this place belongs to: a `UnitOfWork`, which sets it. */
  get unit(): object | undefined {
    return this.#unit ?? this.parent?.unit;
  }

  set unit(unit: object | undefined) {
    this.#unit = unit;
  }

  isWithin(other: Origin): boolean {
    return this === other || (this.parent?.isWithin(other) ?? false);
  }

  isOpenedBy(runner: object): boolean {
    return this.openedBy === runner || (this.parent?.isOpenedBy(runner) ?? false);
  }

  assertActive(what: string): void {
    if (!this.isActive) throw new UnitEndedError(what);
  }

  /** The effects that wait here for the end of the root. */
  get effects(): readonly Effect[] {
    return this.#effects;
  }

  addEffect(effect: Effect): void {
    if (this.#late) this.#late(effect);
    else this.#effects.push(effect);
  }

  /**
   * Gives the effects that wait for the end of the root, which has come. Later effects of nested work that was left
   * running go to `late`.
   */
  endEffects(late: (effect: Effect) => void): readonly Effect[] {
    this.#late = late;
    return this.#effects;
  }

  /**
   * Passes the effects on to the place around: all of them or, if the work was undone, those that wait for a rollback.
   */
  passEffects(undone: boolean): void {
    this.#undone = undone;
    for (const effect of this.#effects) {
      if (!undone) this.parent?.addEffect(effect);
      else if (effect.when !== 'commit') this.parent?.addEffect({ when: 'end', run: effect.run });
    }
  }

  /** Counts a statement as running, until `endStatement()`. */
  beginStatement(): void {
    this.#statements++;
  }

  endStatement(): void {
    this.#statements--;
  }

  /**
   * Counts a stream as running until its reader is done with it, which is before it is closed, or until
   * `closeStream()`.
   */
  openStream(stream: Readable): void {
    this.#streams ??= new Set();
    this.#streams.add(stream);
  }

  closeStream(stream: Readable): void {
    this.#streams?.delete(stream);
  }

  /** Runs nested work after the nested work that was started here before it: savepoints must nest. */
  async nest<T>(run: () => Promise<T>): Promise<T> {
    this.assertActive('Nested work was started');
    this.#nested++;
    this.#nesting ??= new Mutex();
    try {
      return await this.#nesting.run(() => {
        this.assertActive('Nested work was started');
        return run();
      });
    } finally {
      this.#nested--;
    }
  }

  /** Ends the scope; throws WorkUnawaitedError while anything it started still runs. */
  finish(): void {
    this.#ended = true;
    const statements = this.#statements + this.#readStreams();
    if (this.#nested > 0 || statements > 0) throw new WorkUnawaitedError(this.#nested, statements);
  }

  /** Ends the scope although work still runs in it: that work is about to be undone. */
  abandon(): void {
    this.#ended = true;
  }

  /** The number of streams that may still be read. */
  #readStreams(): number {
    if (!this.#streams) return 0;
    return [...this.#streams].filter(({ readableEnded, destroyed }) => !readableEnded && !destroyed).length;
  }
}
