import type { ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/ownership.errors.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import type { TransactionState } from '../../unit-of-work/transaction/transaction-state.js';
import type { GuardedEntity, GuardedField, NamedFiles } from './guarded-entities.js';
import type { FieldValues, RecordRow } from './record-rows.js';

/** A row of a guarded entity that the transaction wrote. */
export interface WrittenRow {
  readonly entity: GuardedEntity;
  /** As it was written; as the database has it, once the row was read. */
  key: ObjectLiteral;
  /** Its state before the first write; null if the transaction inserted it, undefined if it was not needed. */
  before: RecordRow | null | undefined;
  /** The owner id, if the writes tell it. */
  ownerId: string | undefined;
  /** The owner id that it was inserted with, if the transaction inserted it. */
  insertedAs: string | undefined;
  /** Its state when it was removed, after the earlier writes of the transaction. */
  removedAs: RecordRow | undefined;
  /** The fields that were written, as the last write left them. */
  readonly written: Map<GuardedField, NamedFiles>;
  /** The values of the fields after earlier writes of the transaction. */
  readonly formerly: Map<GuardedField, Set<string>>;
  /** Whether the application chose its owner id at the insertion, which may have been another row's. */
  choseId: boolean;
  /** The owner id under which files that an earlier owner has left were looked for. */
  disinheritedAs: string | undefined;
  /** The owner id that its files have followed it to. */
  followedTo: string | undefined;
  isRemoved: boolean;
  /** The writes do not tell its state, which has to be read. */
  isUnsure: boolean;
}

/** The current state of a written row. */
export interface CurrentRow {
  readonly row: WrittenRow;
  readonly entity: GuardedEntity;
  readonly key: ObjectLiteral;
  readonly ownerId: string;
  /** The owner that the row is: one object for all of its files. */
  readonly owner: OwnerReference;
  /** The files that the written fields name now; all fields, if the row was read. */
  readonly values: FieldValues;
}

const UNTOUCHED = {
  before: undefined,
  ownerId: undefined,
  insertedAs: undefined,
  removedAs: undefined,
  choseId: false,
  disinheritedAs: undefined,
  followedTo: undefined,
  isRemoved: false,
  isUnsure: false,
};
/** A row without any known state yet. */
function untouchedRow(entity: GuardedEntity, key: ObjectLiteral): WrittenRow {
  return { entity, key, written: new Map(), formerly: new Map(), ...UNTOUCHED };
}

/** Tells the rows of the guarded classes apart. */
export function keyOf({ metadata: { tablePath, primaryColumns } }: GuardedEntity, key: ObjectLiteral): string {
  const values = primaryColumns.map((column) => textOf(column.getEntityValue(key)));
  const [only] = values;
  return values.length === 1 && typeof only === 'string'
    ? `${tablePath} ${only}`
    : JSON.stringify([tablePath, ...values]);
}

/** The error for a row that may have the key of another row whose write was undone. */
export function keyUsedAgain({ metadata: { name } }: GuardedEntity): RecordWriteUnseenError {
  const remedy = 'Give each row a different key, or use another transaction.';
  return new RecordWriteUnseenError(name, `A primary key of ${name} that another row had before it was undone`, remedy);
}

function textOf(value: unknown): unknown {
  return ownerIdOf(value) ?? (typeof value === 'bigint' ? String(value) : value);
}

/** Whether a row that the transaction inserted has got another owner id since. */
export function hasOtherId({ before, insertedAs, ownerId }: WrittenRow): boolean {
  return before === null && insertedAs !== undefined && insertedAs !== ownerId;
}

/** The state of the row now, if it exists. */
function currentOf(row: WrittenRow): CurrentRow | undefined {
  const { entity, key, ownerId, written, isRemoved } = row;
  if (isRemoved || ownerId === undefined) return undefined;
  return { row, entity, key, ownerId, owner: { type: entity.ownerType, id: ownerId }, values: written };
}

/** The state of the row when it was removed, if it was. */
export function removedOf(row: WrittenRow): CurrentRow | undefined {
  const { isRemoved, removedAs } = row;
  if (!isRemoved || removedAs?.ownerId === undefined) return undefined;
  const { entity, key, ownerId, values } = removedAs;
  return { row, entity, key, ownerId, owner: { type: entity.ownerType, id: ownerId }, values };
}

/** The rows by the files that they name. */
function byNamedFile(rows: readonly CurrentRow[]): ReadonlyMap<string, readonly CurrentRow[]> {
  const naming = new Map<string, CurrentRow[]>();
  for (const row of rows) {
    for (const { ids } of row.values.values()) {
      for (const id of ids) {
        const others = naming.get(id);
        if (!others) naming.set(id, [row]);
        // Row by row: one that names the file twice is the last.
        else if (others.at(-1) !== row) others.push(row);
      }
    }
  }
  return naming;
}

/** The rows of each class. */
export function groupByEntity<Row extends { readonly entity: GuardedEntity }>(
  rows: Iterable<Row>,
): Map<GuardedEntity, Row[]> {
  const groups = new Map<GuardedEntity, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.entity);
    if (group) group.push(row);
    else groups.set(row.entity, [row]);
  }
  return groups;
}

/** The rows that a transaction wrote, each by its key. Notes of a part of the transaction are undone with it. */
export class WrittenRows {
  readonly #byKey = new Map<string, WrittenRow>();
  readonly #displaced: WrittenRow[] = [];
  /** The values that were derived from the rows since the last change. */
  #current: readonly CurrentRow[] | undefined;
  #naming: ReadonlyMap<string, readonly CurrentRow[]> | undefined;

  constructor(private readonly state: TransactionState) {}

  /** Rows that were removed, and whose keys others have got since. */
  get displaced(): readonly WrittenRow[] {
    return this.#displaced;
  }

  /** The rows that have their keys. */
  get present(): readonly WrittenRow[] {
    return [...this.#byKey.values()];
  }

  get all(): readonly WrittenRow[] {
    return [...this.#byKey.values(), ...this.#displaced];
  }

  /** Whether some have to be read. */
  get areUnsure(): boolean {
    return this.#current === undefined && this.unsure().length > 0;
  }

  /** The rows that have to be read. */
  unsure(): WrittenRow[] {
    return this.present.filter(({ isUnsure }) => isUnsure);
  }

  /** The states of the rows now. */
  get current(): readonly CurrentRow[] {
    return (this.#current ??= this.present.flatMap((row) => currentOf(row) ?? []));
  }

  /** The states of the rows now, by the files that they name. */
  get naming(): ReadonlyMap<string, readonly CurrentRow[]> {
    return (this.#naming ??= byNamedFile(this.current));
  }

  /** Called when a row has changed. */
  changed(): void {
    this.#current = undefined;
    this.#naming = undefined;
  }

  find(entity: GuardedEntity, key: ObjectLiteral): WrittenRow | undefined {
    return this.#byKey.get(keyOf(entity, key));
  }

  /** The row, which may be changed then. */
  row(entity: GuardedEntity, key: ObjectLiteral): WrittenRow {
    const text = keyOf(entity, key);
    let row = this.#byKey.get(text) ?? (this.state.undone > 0 ? this.#undoneRow(text) : undefined);
    if (row) this.keep(row);
    else {
      row = untouchedRow(entity, key);
      this.#set(text, row);
    }
    return row;
  }

  /**
   * The same for an insertion. A row that was made and removed here, and is made again as another owner, counts as
   * another row.
   */
  toInsert(entity: GuardedEntity, key: ObjectLiteral, ownerId: string | undefined): WrittenRow {
    const row = this.row(entity, key);
    const { isRemoved, before, removedAs } = row;
    if (!isRemoved || before !== null || removedAs?.ownerId === ownerId) return row;
    this.#displace(row);
    this.#set(keyOf(entity, key), undefined);
    return this.row(entity, key);
  }

  /** Gives the row another key; gives the row that had it. */
  move(row: WrittenRow, from: ObjectLiteral, to: ObjectLiteral): WrittenRow | undefined {
    const text = keyOf(row.entity, to);
    const there = this.#byKey.get(text);
    this.keep(row);
    this.#set(keyOf(row.entity, from), undefined);
    const displaced = there === row ? undefined : there;
    if (displaced) this.#displace(displaced);
    row.key = to;
    this.#set(text, row);
    this.changed();
    return displaced;
  }

  /**
   * Restores the present state of the row if the open part of the transaction is undone. Called before each change of a
   * row.
   */
  keep(row: WrittenRow): void {
    if (!this.state.isInPart) return;
    const kept = { ...row, written: new Map(row.written), formerly: new Map(row.formerly) };
    this.state.onUndo(() => {
      Object.assign(row, kept);
      this.changed();
    });
  }

  #displace(row: WrittenRow): void {
    this.#displaced.push(row);
    this.state.onUndo(() => this.#displaced.pop());
  }

  #set(key: string, row: WrittenRow | undefined): void {
    this.state.setUndoable(this.#byKey, key, row);
    this.state.onUndo(() => this.changed());
  }

  /** The row that had the key before it was given another one, which was undone. */
  #undoneRow(text: string): WrittenRow | undefined {
    return this.present.find(({ before }) => before && keyOf(before.entity, before.key) === text);
  }
}
