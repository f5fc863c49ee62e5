import type { Origin } from './origin.js';

/** An open savepoint, and who may end it: a nested unit's scope or a query runner. */
export interface Savepoint {
  readonly owner: object;
  /** What runs in here belongs inside of it; none for a transaction that was started by hand. */
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

  /** Takes the last one off, if it is the owner's. `shared`: somebody else wrote beside it, and to undo it would undo their work, too. */
  pop(owner: object): (Savepoint & { readonly shared: boolean }) | undefined {
    return this.#open.at(-1)?.owner === owner ? this.#open.pop() : undefined;
  }

  /** Notes a statement that writes, of the scope and through the query runner that it was given to. */
  noteWrite(scope: Origin, through: object): void {
    for (const savepoint of this.#open) {
      const { owner, scope: inner } = savepoint;
      const inside = inner ? scope.isWithin(inner) : owner === through || scope.isOpenedBy(owner);
      savepoint.shared ||= !inside;
    }
  }
}
