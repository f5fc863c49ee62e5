import type { EntityManager, ObjectLiteral } from 'typeorm';
import type { FilesError } from '../../errors/files-error.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { openTransaction } from '../../unit-of-work/unit-of-work.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import type { TransactionState } from '../../unit-of-work/transaction/transaction-state.js';
import type { GuardedEntity, NamedFiles } from './guarded-entities.js';
import { rowsByKey } from './record-rows.js';
import type { FieldValues, RecordRow } from './record-rows.js';
import { GivenFiles } from './given-files.js';
import { groupByEntity, hasOtherId, keyOf, keyUsedAgain, removedOf, WrittenRows } from './written-row.js';
import type { CurrentRow, WrittenRow } from './written-row.js';

const NOTHING: NamedFiles = { ids: [], junk: [] };
const LEDGER = Symbol('nestjs-files:record-ledger');

/**
 * Notes what one transaction did to guarded rows and to the owners of files, until these changes are settled before the
 * COMMIT.
 */
export class RecordLedger {
  readonly #rows: WrittenRows;
  /** The owners to which files were given, and the owners that lost files. */
  readonly files: GivenFiles;
  readonly #settle: () => Promise<void>;
  /** The writes that have begun and are not noted yet. */
  readonly #writing = new Set<Promise<unknown>>();
  #refusal: FilesError | undefined;
  #undone: number;

  private constructor(
    private readonly state: TransactionState,
    settle: (ledger: RecordLedger) => Promise<void>,
  ) {
    this.#undone = state.undone;
    this.#rows = new WrittenRows(state);
    this.files = new GivenFiles(state);
    this.#settle = () => settle(this);
    state.beforeCommit(this.#settle);
  }

  /**
   * Returns the ledger of the transaction, which is created on first use. `settle` is called with the ledger before the
   * COMMIT.
   */
  static of({ state }: OpenTransaction, settle: (ledger: RecordLedger) => Promise<void>): RecordLedger {
    return state.slot(LEDGER, () => new RecordLedger(state, settle));
  }

  /** Returns the ledger of the transaction, if anything was noted in it. */
  static find({ state }: OpenTransaction): RecordLedger | undefined {
    return state.peek(LEDGER);
  }

  get rows(): readonly WrittenRow[] {
    return this.#rows.all;
  }

  /**
   * Makes the commit fail with this error, because a write could not be noted. It fails even if the application catches
   * the error.
   */
  refuse(error: FilesError): FilesError {
    if (!this.#refusal) this.state.onUndo(() => (this.#refusal = undefined));
    return (this.#refusal ??= error);
  }

  /** Throws the error of `refuse()`, if it was called. */
  assertNotRefused(): void {
    if (this.#refusal) throw this.#refusal;
  }

  /**
   * Counts the write as running until its promise settles. Its rows are checked after that, even if the ledger was
   * already settled before.
   */
  during<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write);
    const { undoneParts } = this.state;
    const end = (): void => {
      this.#writing.delete(write);
      // The write may have been rolled back before it was noted.
      if (this.state.undoneParts !== undoneParts) this.state.noteUndone();
      this.state.beforeCommit(this.#settle);
    };
    write.then(end, end);
    return write;
  }

  /** Whether any write is running. */
  get isWriting(): boolean {
    return this.#writing.size > 0;
  }

  /** Resolves when no write is running. */
  async written(): Promise<void> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing);
  }

  /** Notes an inserted row. */
  inserted(
    entity: GuardedEntity,
    key: ObjectLiteral,
    ownerId: string | undefined,
    values: FieldValues,
    choseId: boolean,
  ): void {
    const row = this.#rows.toInsert(entity, key, ownerId);
    // If a removed row is inserted again, the columns that the statement leaves out are empty.
    const empty = row.isRemoved ? entity.fields.map((field) => [field, NOTHING] as const) : [];
    row.choseId = choseId;
    // A row that was removed, and is inserted again with the same key, existed before.
    if (row.before === undefined && !row.isRemoved) row.before = null;
    if (row.before === null) row.insertedAs = ownerId;
    row.isRemoved = false;
    this.#write(row, ownerId, new Map([...empty, ...values]));
  }

  /** Notes an updated row. */
  updated(entity: GuardedEntity, key: ObjectLiteral, ownerId: string | undefined, values: FieldValues): void {
    this.#write(this.#rows.row(entity, key), ownerId, values);
  }

  /**
   * Whether the application rolled back to a savepoint of its own. Then the ledger does not know which notes still
   * hold.
   */
  get isUndone(): boolean {
    return this.state.undone > 0;
  }

  /**
   * Notes the state of a row before a write. If the state after earlier writes of the row was unknown, it is known from
   * now on.
   */
  seen(record: RecordRow): void {
    this.#forgetUndone();
    const row = this.#rows.row(record.entity, record.key);
    if (row.before === undefined) row.before = record;
    else if (row.isUnsure) this.#read(row, record);
    row.ownerId ??= record.ownerId;
    this.#rows.changed();
  }

  /** Notes that only the database knows the current values of the row. */
  unsure(entity: GuardedEntity, key: ObjectLiteral): void {
    this.#rows.row(entity, key).isUnsure = true;
    this.#rows.changed();
  }

  /** Notes that an update changed the primary key of the row. */
  rekeyed(entity: GuardedEntity, from: ObjectLiteral, to: ObjectLiteral): void {
    const row = this.#rows.row(entity, from);
    row.isUnsure = true;
    this.#moveTo(row, from, to);
  }

  /** Notes a removed row. `record` is its state before the removal. */
  removed(record: RecordRow): void {
    this.seen(record);
    const row = this.#rows.row(record.entity, record.key);
    row.removedAs = record;
    row.isRemoved = true;
  }

  /**
   * Notes what was done with the files of the row: under which owner id they were looked for, or to which they were
   * moved.
   */
  note(row: WrittenRow, done: Partial<Pick<WrittenRow, 'disinheritedAs' | 'followedTo'>>): void {
    this.#rows.keep(row);
    Object.assign(row, done);
  }

  /**
   * The owner to which this transaction gave the file. Undefined if it gave the file to nobody, or if that may have
   * been rolled back.
   */
  ownerGiven(fileId: string): OwnerReference | undefined {
    this.#forgetUndone();
    return this.files.ownerOf(fileId);
  }

  /** Whether the state of any row is unknown from the writes alone. Then `read()` has to be called before `current`. */
  get isUnsure(): boolean {
    this.#forgetUndone();
    return this.#rows.areUnsure;
  }

  /** Reads the unknown states from the database, with one statement for each entity. */
  async read(manager: EntityManager): Promise<void> {
    for (const [entity, rows] of groupByEntity(this.#rows.unsure())) await this.#reread(manager, entity, rows);
  }

  /** The current states of the rows. Throws if `isUnsure`. */
  get current(): readonly CurrentRow[] {
    if (this.isUnsure) throw new TypeError('The rows have to be read first');
    return this.#rows.current;
  }

  /** The states of the removed rows when they were removed. */
  get removedRows(): readonly CurrentRow[] {
    return this.rows.flatMap((row) => removedOf(row) ?? []);
  }

  /** Whether the writes only set values. Then no file has to follow a row, be let go of, or be inherited. */
  get onlyGivesValues(): boolean {
    if (this.isUnsure || this.#rows.displaced.length > 0) return false;
    return this.#rows.present.every(
      (row) => !row.before && row.formerly.size === 0 && !row.isRemoved && !row.choseId && !hasOtherId(row),
    );
  }

  /** The existing rows without an owner id. They cannot own the files that they name. */
  ownerless(): readonly WrittenRow[] {
    return this.#rows.present.filter(({ isRemoved, ownerId }) => !isRemoved && ownerId === undefined);
  }

  /** The rows that name each file now, by the id of the file. Throws if `isUnsure`. */
  get naming(): ReadonlyMap<string, readonly CurrentRow[]> {
    if (this.isUnsure) throw new TypeError('The rows have to be read first');
    return this.#rows.naming;
  }

  /**
   * Finds an owner of this type whose row was written to name the file and is now missing, because another transaction
   * removed the row.
   */
  vanished(ownerType: string, fileId: string): OwnerReference | undefined {
    for (const { entity, ownerId, isRemoved, written } of this.#rows.present) {
      if (!isRemoved || entity.ownerType !== ownerType || ownerId === undefined) continue;
      if ([...written.values()].some(({ ids }) => ids.includes(fileId))) return { type: ownerType, id: ownerId };
    }
    return undefined;
  }

  /** Returns the row, if the transaction wrote it. */
  find({ entity, key }: Pick<RecordRow, 'entity' | 'key'>): WrittenRow | undefined {
    return this.#rows.find(entity, key);
  }

  async #reread(manager: EntityManager, entity: GuardedEntity, rows: readonly WrittenRow[]): Promise<void> {
    const keys = rows.flatMap(({ key, before }) => (before && before.key !== key ? [key, before.key] : [key]));
    const found = await rowsByKey(manager, entity, keys);
    const byKey = new Map(found.map((record) => [keyOf(record.entity, record.key), record]));
    const take = (row: WrittenRow, key: ObjectLiteral): boolean => {
      const text = keyOf(row.entity, key);
      const record = byKey.get(text);
      if (!record) return false;
      byKey.delete(text);
      if (key !== row.key) this.#moveTo(row, row.key, key);
      this.#read(row, record);
      return true;
    };
    // If a change of the key was rolled back, the row has its earlier key again.
    const others = rows.filter((row) => !take(row, row.key)).filter((row) => !row.before || !take(row, row.before.key));
    // A key may have been written in another form than the database's (`+7`, another case). Then it belongs to one of
    // these rows.
    const [other, ...more] = others;
    const isOne = more.length === 0 && byKey.size === 1;
    for (const record of byKey.values()) {
      const row = isOne && other ? other : this.#rows.row(record.entity, record.key);
      if (row === other) this.#moveTo(row, row.key, record.key);
      else if (others.every(({ before }) => before === null)) Object.assign(row, { before: null, choseId: true });
      this.#read(row, record);
    }
    for (const row of others) {
      if (!row.isUnsure) continue;
      this.#rows.keep(row);
      Object.assign(row, { isUnsure: false, isRemoved: true });
    }
  }

  #read(row: WrittenRow, record: RecordRow): void {
    this.#rows.keep(row);
    if (row.before === null) row.insertedAs ??= record.ownerId;
    Object.assign(row, { isUnsure: false, isRemoved: false, ownerId: record.ownerId });
    for (const [field, named] of record.values) row.written.set(field, named);
  }

  #moveTo(row: WrittenRow, from: ObjectLiteral, to: ObjectLiteral): void {
    const displaced = this.#rows.move(row, from, to);
    // After an unknown rollback, the displaced row may still exist under its earlier key.
    if (displaced && this.isUndone) this.refuse(keyUsedAgain(row.entity));
  }

  /** Marks all notes as unsure if the application rolled back to a savepoint of its own since the last call. */
  #forgetUndone(): void {
    const known = this.#undone;
    if (this.state.undone === known) return;
    this.#undone = this.state.undone;
    this.state.onUndo(() => (this.#undone = known));
    this.files.forget();
    this.#rows.changed();
    for (const row of this.#rows.present) {
      this.#rows.keep(row);
      Object.assign(row, { isUnsure: true, disinheritedAs: undefined, followedTo: undefined });
      row.formerly.clear();
    }
    // A displaced row may exist again, under its earlier key.
    const [displaced] = this.#rows.displaced;
    if (displaced) this.refuse(keyUsedAgain(displaced.entity));
  }

  #write(row: WrittenRow, ownerId: string | undefined, values: FieldValues): void {
    this.#forgetUndone();
    for (const [field, value] of values) {
      const { ids = [] } = row.written.get(field) ?? {};
      // If the row is unsure, the earlier value may have been rolled back.
      if (ids.length > 0 && row.entity.letsGo && !row.isUnsure)
        row.formerly.set(field, new Set([...(row.formerly.get(field) ?? []), ...ids]));
      row.written.set(field, value);
    }
    if (ownerId !== undefined) row.ownerId = ownerId;
    if (row.ownerId === undefined) row.isUnsure = true;
    this.#rows.changed();
  }
}

/** Returns the ledger of the manager's transaction, if anything was noted in it. */
export function findLedger(manager: EntityManager): RecordLedger | undefined {
  return manager.queryRunner?.isTransactionActive ? RecordLedger.find(transactionOf(manager)) : undefined;
}

/** Returns the transaction of the entity manager. */
export function transactionOf({ queryRunner }: EntityManager): OpenTransaction {
  if (!queryRunner) throw new TypeError('The entity manager is in no transaction');
  return openTransaction(queryRunner);
}
