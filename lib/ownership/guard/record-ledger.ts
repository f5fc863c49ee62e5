import type { EntityManager, ObjectLiteral } from 'typeorm';
import type { FilesError } from '../../errors/files-error.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { OpenTransaction } from '../../unit-of-work/unit-of-work.js';
import type { TransactionState } from '../../unit-of-work/transaction/transaction-state.js';
import type { GuardedEntity } from './guarded-entities.js';
import { rowsByKey } from './record-rows.js';
import type { FieldValues, RecordRow } from './record-rows.js';
import type { OwnershipState } from '../statements/transfer-statements.js';
import type { NamedFiles } from './named-files.js';
import {
  byNamedFile,
  currentOf,
  groupByEntity,
  hasOtherId,
  isOwner,
  keyOf,
  keyUsedAgain,
  removedOf,
  untouchedRow,
} from './written-row.js';
import type { CurrentRow, WrittenRow } from './written-row.js';

const NOTHING: NamedFiles = { ids: [], junk: [] };
const LEDGER = Symbol('nestjs-files:record-ledger');

/** What one transaction did to guarded rows and to the owners of files, until it is settled before the COMMIT. */
export class RecordLedger {
  readonly #rows = new Map<string, WrittenRow>();
  readonly #given = new Map<string, OwnerReference>();
  /** Rows that were removed, and whose keys others have got since. */
  readonly #displaced: WrittenRow[] = [];
  readonly #settle: () => Promise<void>;
  /** Writes that have begun, and are not noted yet. */
  readonly #writing = new Set<Promise<unknown>>();
  #refusal: FilesError | undefined;
  /** What was given before something was undone of which nobody can say what it was. */
  readonly #formerlyGiven = new Map<string, OwnerReference>();
  readonly #taken = new Map<string, readonly OwnerReference[]>();
  readonly #disinherited = new Map<string, OwnershipState>();
  #undone: number;
  /** What was read off the rows since the last change. */
  #current: readonly CurrentRow[] | undefined;
  #naming: ReadonlyMap<string, readonly CurrentRow[]> | undefined;

  private constructor(
    private readonly state: TransactionState,
    settle: (ledger: RecordLedger) => Promise<void>,
  ) {
    this.#undone = state.undone;
    this.#settle = () => settle(this);
    state.beforeCommit(this.#settle);
  }

  /** The ledger of the transaction; `settle` is called with it before the COMMIT. */
  static of({ state }: OpenTransaction, settle: (ledger: RecordLedger) => Promise<void>): RecordLedger {
    return state.slot(LEDGER, () => new RecordLedger(state, settle));
  }

  /** The ledger of the transaction, if anything was noted in it. */
  static find({ state }: OpenTransaction): RecordLedger | undefined {
    return state.peek(LEDGER);
  }

  get rows(): Iterable<WrittenRow> {
    return [...this.#rows.values(), ...this.#displaced];
  }

  /** Notes that the transaction must not commit, also if the application swallows the error: a write was done that nobody could see. */
  refuse(error: FilesError): FilesError {
    if (!this.#refusal) this.state.onUndo(() => (this.#refusal = undefined));
    return (this.#refusal ??= error);
  }

  /** Throws what the transaction was refused with. */
  assertNotRefused(): void {
    if (this.#refusal) throw this.#refusal;
  }

  /** Counts the write as under way until it settles. What it has written is settled after that, also where a settlement came before. */
  during<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write);
    const { undoneParts } = this.state;
    const end = (): void => {
      this.#writing.delete(write);
      // What was undone meanwhile it may have noted after that.
      if (this.state.undoneParts !== undoneParts) this.state.noteUndone();
      this.state.beforeCommit(this.#settle);
    };
    write.then(end, end);
    return write;
  }

  /** Whether writes are under way. */
  get isWriting(): boolean {
    return this.#writing.size > 0;
  }

  /** Resolves when no write is under way. */
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
    const row = this.#rowToInsert(entity, key, ownerId);
    // What the statement says nothing of is empty in a row that is made again.
    const empty = row.isRemoved ? entity.fields.map((field) => [field, NOTHING] as const) : [];
    row.choseId = choseId;
    // One that was removed and is inserted under the same key was there before.
    if (row.before === undefined && !row.isRemoved) row.before = null;
    if (row.before === null) row.insertedAs = ownerId;
    row.isRemoved = false;
    this.#write(row, ownerId, new Map([...empty, ...values]));
  }

  /** Notes an updated row. */
  updated(entity: GuardedEntity, key: ObjectLiteral, ownerId: string | undefined, values: FieldValues): void {
    this.#write(this.#row(entity, key), ownerId, values);
  }

  /** Whether something was undone of which nobody can say what it was, so that what was noted may not stand. */
  get isUndone(): boolean {
    return this.state.undone > 0;
  }

  /** Notes what a row is before it is written, and what its earlier writes have come to where they do not tell. */
  seen(record: RecordRow): void {
    this.#forgetUndone();
    const row = this.#row(record.entity, record.key);
    if (row.before === undefined) row.before = record;
    else if (row.isUnsure) this.#read(row, record);
    row.ownerId ??= record.ownerId;
    this.#changed();
  }

  /** Notes a row whose values only the database knows. */
  unsure(entity: GuardedEntity, key: ObjectLiteral): void {
    this.#row(entity, key).isUnsure = true;
    this.#changed();
  }

  /** Notes that an update has given the row another primary key. */
  rekeyed(entity: GuardedEntity, from: ObjectLiteral, to: ObjectLiteral): void {
    const row = this.#row(entity, from);
    row.isUnsure = true;
    this.#moveTo(row, from, to);
  }

  removed(record: RecordRow): void {
    this.seen(record);
    const row = this.#row(record.entity, record.key);
    row.removedAs = record;
    row.isRemoved = true;
  }

  /** Notes that the file is the owner's, and locked. */
  given(fileId: string, owner: OwnerReference): void {
    this.#set(this.#given, fileId, owner);
  }

  /** Notes that the file has no owner any more, or is gone. */
  dropped(fileId: string): void {
    this.#set(this.#given, fileId, undefined);
  }

  /** Notes that the file was taken from the owner: transferred or deleted. */
  taken(fileId: string, owner: OwnerReference): void {
    this.dropped(fileId);
    const owners = this.#taken.get(fileId) ?? [];
    if (!owners.some((one) => isOwner(one, owner))) this.#set(this.#taken, fileId, [...owners, owner]);
  }

  /** Notes that the file lost its owner here, because that one only has the id of an earlier owner. */
  disinherited(fileId: string, state: OwnershipState): void {
    this.#set(this.#disinherited, fileId, state);
  }

  /** Notes what was done with the files of the row's owner id. */
  note(row: WrittenRow, done: Partial<Pick<WrittenRow, 'disinheritedAs' | 'followedTo'>>): void {
    this.#keep(row);
    Object.assign(row, done);
  }

  /** What the file was before it lost its owner here. */
  beforeDisinherited(fileId: string): OwnershipState | undefined {
    return this.#disinherited.get(fileId);
  }

  get takenFiles(): ReadonlyMap<string, readonly OwnerReference[]> {
    return this.#taken;
  }

  /** The owner that the file was given to in this transaction; undefined where it was not, or may have been taken back. */
  ownerGiven(fileId: string): OwnerReference | undefined {
    this.#forgetUndone();
    return this.#given.get(fileId);
  }

  /** Whether the file was given to the owner in this transaction, also if that may have been taken back. */
  wasGiven(fileId: string, owner: OwnerReference): boolean {
    return isOwner(owner, this.#given.get(fileId)) || isOwner(owner, this.#formerlyGiven.get(fileId));
  }

  /** Whether the writes themselves do not tell what the rows are now: then `read()` has to be called before `current`. */
  get isUnsure(): boolean {
    this.#forgetUndone();
    return this.#current === undefined && this.#unsure().length > 0;
  }

  /** Reads what the writes do not tell: one statement for each entity. */
  async read(manager: EntityManager): Promise<void> {
    for (const [entity, rows] of groupByEntity(this.#unsure())) await this.#reread(manager, entity, rows);
  }

  /** The rows as they are now. */
  get current(): readonly CurrentRow[] {
    if (this.isUnsure) throw new TypeError('The rows have to be read first');
    return (this.#current ??= [...this.#rows.values()].flatMap((row) => currentOf(row) ?? []));
  }

  /** The rows that were removed, as they were then. */
  get removedRows(): readonly CurrentRow[] {
    return [...this.rows].flatMap((row) => removedOf(row) ?? []);
  }

  /** Whether the writes gave values to rows and did nothing else: no file follows a row, none is let go of, and none is inherited. */
  get onlyGivesValues(): boolean {
    if (this.isUnsure || this.#displaced.length > 0) return false;
    return [...this.#rows.values()].every(
      (row) => !row.before && row.formerly.size === 0 && !row.isRemoved && !row.choseId && !hasOtherId(row),
    );
  }

  /** The existing rows without an owner id. They cannot own the files that they name. */
  ownerless(): readonly WrittenRow[] {
    return [...this.#rows.values()].filter(({ isRemoved, ownerId }) => !isRemoved && ownerId === undefined);
  }

  /** The rows that name files now, by the file's id. */
  get naming(): ReadonlyMap<string, readonly CurrentRow[]> {
    const { current } = this;
    return (this.#naming ??= byNamedFile(current));
  }

  /** The owner of the type whose row was written to name the file, and is not there: somebody else has removed it meanwhile. */
  vanished(ownerType: string, fileId: string): OwnerReference | undefined {
    for (const { entity, ownerId, isRemoved, written } of this.#rows.values()) {
      if (!isRemoved || entity.ownerType !== ownerType || ownerId === undefined) continue;
      if ([...written.values()].some(({ ids }) => ids.includes(fileId))) return { type: ownerType, id: ownerId };
    }
    return undefined;
  }

  /** The row, if the transaction wrote it. */
  find({ entity, key }: Pick<RecordRow, 'entity' | 'key'>): WrittenRow | undefined {
    return this.#rows.get(keyOf(entity, key));
  }

  #unsure(): WrittenRow[] {
    return [...this.#rows.values()].filter(({ isUnsure }) => isUnsure);
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
    // A change of the key that was undone has left the row where it was before.
    const others = rows.filter((row) => !take(row, row.key)).filter((row) => !row.before || !take(row, row.before.key));
    // A key that was written in another form than the database has it (`+7`, another case) is that of one of these.
    const [other, ...more] = others;
    const isOne = more.length === 0 && byKey.size === 1;
    for (const record of byKey.values()) {
      const row = isOne && other ? other : this.#row(record.entity, record.key);
      if (row === other) this.#moveTo(row, row.key, record.key);
      else if (others.every(({ before }) => before === null)) Object.assign(row, { before: null, choseId: true });
      this.#read(row, record);
    }
    for (const row of others) {
      if (!row.isUnsure) continue;
      this.#keep(row);
      Object.assign(row, { isUnsure: false, isRemoved: true });
    }
  }

  #read(row: WrittenRow, record: RecordRow): void {
    this.#keep(row);
    if (row.before === null) row.insertedAs ??= record.ownerId;
    Object.assign(row, { isUnsure: false, isRemoved: false, ownerId: record.ownerId });
    for (const [field, named] of record.values) row.written.set(field, named);
  }

  #moveTo(row: WrittenRow, from: ObjectLiteral, to: ObjectLiteral): void {
    const text = keyOf(row.entity, to);
    const there = this.#rows.get(text);
    this.#keep(row);
    this.#set(this.#rows, keyOf(row.entity, from), undefined);
    if (there && there !== row) {
      // Where something was undone, that one may still be there, under the key that it had.
      if (this.isUndone) this.refuse(keyUsedAgain(row.entity));
      this.#displaced.push(there);
      this.state.onUndo(() => this.#displaced.pop());
    }
    row.key = to;
    this.#set(this.#rows, text, row);
    this.#changed();
  }

  /** After a rollback to a savepoint of the application's own nobody knows which of the writes stand, and which of the transfers. */
  #forgetUndone(): void {
    const known = this.#undone;
    if (this.state.undone === known) return;
    this.#undone = this.state.undone;
    this.state.onUndo(() => (this.#undone = known));
    for (const [id, owner] of this.#given) {
      this.#set(this.#formerlyGiven, id, owner);
      this.dropped(id);
    }
    this.#changed();
    for (const row of this.#rows.values()) {
      this.#keep(row);
      Object.assign(row, { isUnsure: true, disinheritedAs: undefined, followedTo: undefined });
      row.formerly.clear();
    }
    // Such a row may be there again, under its key.
    const [displaced] = this.#displaced;
    if (displaced) this.refuse(keyUsedAgain(displaced.entity));
  }

  #row(entity: GuardedEntity, key: ObjectLiteral): WrittenRow {
    const text = keyOf(entity, key);
    let row = this.#rows.get(text) ?? (this.isUndone ? this.#undoneRow(text) : undefined);
    if (row) this.#keep(row);
    else {
      row = untouchedRow(entity, key);
      this.#set(this.#rows, text, row);
    }
    return row;
  }

  /** One that was made and removed here, and is made again as another owner, is another row. */
  #rowToInsert(entity: GuardedEntity, key: ObjectLiteral, ownerId: string | undefined): WrittenRow {
    const row = this.#row(entity, key);
    const { isRemoved, before, removedAs } = row;
    if (!isRemoved || before !== null || removedAs?.ownerId === ownerId) return row;
    this.#displaced.push(row);
    this.state.onUndo(() => this.#displaced.pop());
    this.#set(this.#rows, keyOf(entity, key), undefined);
    return this.#row(entity, key);
  }

  /** Has the row be again what it is now if the part of the transaction that is open is undone. Called before each change of a row. */
  #keep(row: WrittenRow): void {
    if (!this.state.isInPart) return;
    const kept = { ...row, written: new Map(row.written), formerly: new Map(row.formerly) };
    this.state.onUndo(() => {
      Object.assign(row, kept);
      this.#changed();
    });
  }

  /** Sets or deletes the entry; undone with the part of the transaction that is open. */
  #set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    const put = (it: V | undefined): unknown => (it === undefined ? map.delete(key) : map.set(key, it));
    put(value);
    this.state.onUndo(() => {
      put(before);
      this.#changed();
    });
  }

  /** The row that had the key before it was given another one, which was undone. */
  #undoneRow(text: string): WrittenRow | undefined {
    return [...this.#rows.values()].find(({ before }) => before && keyOf(before.entity, before.key) === text);
  }

  #write(row: WrittenRow, ownerId: string | undefined, values: FieldValues): void {
    this.#forgetUndone();
    for (const [field, value] of values) {
      const { ids = [] } = row.written.get(field) ?? {};
      // What nobody is sure of may have been undone.
      if (ids.length > 0 && row.entity.letsGo && !row.isUnsure)
        row.formerly.set(field, new Set([...(row.formerly.get(field) ?? []), ...ids]));
      row.written.set(field, value);
    }
    if (ownerId !== undefined) row.ownerId = ownerId;
    if (row.ownerId === undefined) row.isUnsure = true;
    this.#changed();
  }

  #changed(): void {
    this.#current = undefined;
    this.#naming = undefined;
  }
}
