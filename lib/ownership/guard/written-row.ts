import type { ObjectLiteral } from 'typeorm';
import { RecordWriteUnseenError } from '../../errors/guard.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ownerIdOf } from '../id-field.js';
import type { GuardedEntity, GuardedField } from './guarded-entities.js';
import type { NamedFiles } from './named-files.js';
import type { FieldValues, RecordRow } from './record-rows.js';

/** A row of a guarded entity that the transaction wrote. */
export interface WrittenRow {
  readonly entity: GuardedEntity;
  /** As it was written; as the database has it, once the row was read. */
  key: ObjectLiteral;
  /** What it was before the first write; null where the transaction inserted it, undefined where nobody had to know. */
  before: RecordRow | null | undefined;
  /** The owner id, as far as the writes tell. */
  ownerId: string | undefined;
  /** The owner id that it was inserted with, if the transaction inserted it. */
  insertedAs: string | undefined;
  /** What it was when it was removed, after whatever the transaction had written before. */
  removedAs: RecordRow | undefined;
  /** The fields that were written, as the last write left them. */
  readonly written: Map<GuardedField, NamedFiles>;
  /** What earlier writes of the transaction have left in the fields. */
  readonly formerly: Map<GuardedField, Set<string>>;
  /** Whether it was inserted under an owner id of the application's choice, which may have been another row's. */
  choseId: boolean;
  /** The owner id under which files that an earlier owner has left were looked for. */
  disinheritedAs: string | undefined;
  /** The owner id that its files have followed it to. */
  followedTo: string | undefined;
  isRemoved: boolean;
  /** What the writes do not tell has to be read. */
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
  /** What the written fields name now; all fields, where the row was read. */
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
/** A row of which nothing is known yet. */
export function untouchedRow(entity: GuardedEntity, key: ObjectLiteral): WrittenRow {
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

/** What is thrown where a row may have a key that another row had before that was undone. */
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

/** What the row is now, if it is there. */
export function currentOf(row: WrittenRow): CurrentRow | undefined {
  const { entity, key, ownerId, written, isRemoved } = row;
  if (isRemoved || ownerId === undefined) return undefined;
  return { row, entity, key, ownerId, owner: { type: entity.ownerType, id: ownerId }, values: written };
}

/** What the row was when it was removed, if it is. */
export function removedOf(row: WrittenRow): CurrentRow | undefined {
  const { isRemoved, removedAs } = row;
  if (!isRemoved || removedAs?.ownerId === undefined) return undefined;
  const { entity, key, ownerId, values } = removedAs;
  return { row, entity, key, ownerId, owner: { type: entity.ownerType, id: ownerId }, values };
}

/** The rows by the files that they name. */
export function byNamedFile(rows: readonly CurrentRow[]): ReadonlyMap<string, readonly CurrentRow[]> {
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
export function groupByEntity(rows: readonly WrittenRow[]): Map<GuardedEntity, WrittenRow[]> {
  const groups = new Map<GuardedEntity, WrittenRow[]>();
  for (const row of rows) {
    const group = groups.get(row.entity);
    if (group) group.push(row);
    else groups.set(row.entity, [row]);
  }
  return groups;
}

/** Whether the two are one owner. */
export function isOwner(owner: OwnerReference, other: { type: string | null; id: string | null } | undefined): boolean {
  return owner === other || (other !== undefined && owner.type === other.type && owner.id === other.id);
}
