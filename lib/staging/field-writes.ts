import type { DataSource } from 'typeorm';
import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { ownerIdOf } from '../files/owner-reference.js';
import { idsIn, readPath } from '../ownership/object-index.js';
import type { CallOutcome } from '../ownership/call-outcome.js';
import type { PlacedFile } from './attachment.js';
import { ownerFields } from './owner-fields.js';
import type { OwnerField } from './owner-fields.js';
import type { StagedFile } from './staged-file.js';

/** A value for one owner's field. */
export interface FieldWrite {
  readonly target: OwnerField;
  readonly ownerId: string;
  readonly value: unknown;
  /** The ids of the files that it names. */
  readonly files: readonly string[];
  /** For messages. */
  readonly place: string;
  readonly fileId: string;
}

/**
 * The values for the owners' fields. The entities of the result get them at once, so that the response shows the record
 * as it will be. A field that is the owner's own list, with other things in it besides the files, keeps them.
 */
export async function planWrites(
  dataSource: DataSource,
  files: readonly PlacedFile[],
  outcome: CallOutcome,
): Promise<FieldWrite[]> {
  const writes: FieldWrite[] = [];
  const instances = new Instances(outcome);
  for (const group of groupsOf(files)) {
    const [first] = group;
    if (first?.field === undefined) continue;
    const { owner, field, place, staged } = first;
    const shown = [...new Set(group.flatMap(({ entities }) => entities))];
    const target = targetFor(dataSource, first, shown);
    if (!target) continue;
    const entities = [...new Set([...shown, ...instances.of(target, owner.id)])];
    const values = await valuesOf(group);
    const fresh = first.list ? [...values.values()] : onlyOf(group, values);
    const known = new Set([...values].flat());
    const held = entities
      .map((entity) => readPath(entity, field))
      .find((value) => idsIn(value).some((one) => known.has(one)));
    const value = held === undefined ? fresh : replaced(held, values);
    for (const entity of entities) setPath(entity, field, value);
    const named = group.map((one) => one.staged.id);
    writes.push({ target, ownerId: owner.id, value, files: named, place, fileId: staged.id });
  }
  return writes;
}

/** The files of one field of one owner together. */
function groupsOf(files: readonly PlacedFile[]): PlacedFile[][] {
  const groups = new Map<string, PlacedFile[]>();
  for (const file of files) {
    const key = JSON.stringify([file.owner.type, file.owner.id, file.field]);
    const group = groups.get(key);
    if (group) group.push(file);
    else groups.set(key, [file]);
  }
  return [...groups.values()];
}

function targetFor(
  dataSource: DataSource,
  { owner, field = '', place, isStated, staged }: PlacedFile,
  shown: readonly object[],
): OwnerField | undefined {
  const targets = ownerFields(dataSource, owner.type, field);
  const shownAs = targets.filter(({ metadata: { target } }) =>
    shown.some((entity) => typeof target === 'function' && entity instanceof target),
  );
  const [target, ...others] = shownAs.length > 0 ? shownAs : targets;
  const isOne = others.every(({ metadata }) => metadata.tablePath === target?.metadata.tablePath);
  if (target && isOne) return target;
  if (!isStated) return undefined;
  const reason = target
    ? `several classes own as "${owner.type}" and have a field "${field}"`
    : `no class with @OwnsFiles('${owner.type}') has a column for "${field}"`;
  throw new OwnerNotResolvedError(place, staged.id, reason);
}

/** Entities of the result that are the owner, though its id was read elsewhere. */
class Instances {
  readonly #byClass = new Map<OwnerField['metadata'], ReadonlyMap<string | undefined, readonly object[]>>();

  constructor(private readonly outcome: CallOutcome) {}

  of(target: OwnerField, id: string): readonly object[] {
    let byId = this.#byClass.get(target.metadata);
    if (byId === undefined) this.#byClass.set(target.metadata, (byId = this.#find(target)));
    return byId.get(id) ?? [];
  }

  #find({ metadata: { target }, idColumn }: OwnerField): Map<string | undefined, object[]> {
    const byId = new Map<string | undefined, object[]>();
    if (typeof target !== 'function') return byId;
    const property = idColumn.propertyName;
    for (const { object } of this.outcome.inResult.having(property)) {
      if (!(object instanceof target)) continue;
      const id = ownerIdOf(Reflect.get(object, property));
      const others = byId.get(id) ?? [];
      byId.set(id, others);
      others.push(object);
    }
    return byId;
  }
}

/** The value of each file in the field, by the file's id, in the order of the field. */
async function valuesOf(group: readonly PlacedFile[]): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const { attachAs, list, staged } of group) {
    // The files of a list have the whole list each.
    for (const file of list ?? [staged]) {
      const id = typeof file === 'string' ? file : file.id;
      if (!values.has(id)) values.set(id, typeof file === 'string' ? id : await valueOf(file, attachAs));
    }
  }
  return values;
}

async function valueOf(file: StagedFile, attachAs: PlacedFile['attachAs']): Promise<string> {
  return attachAs === 'id' ? file.id : file.address();
}

function onlyOf([first, ...others]: readonly PlacedFile[], values: ReadonlyMap<string, string>): string | undefined {
  if (!first || others.length === 0) return values.get(first?.staged.id ?? '');
  const { place, staged, field = '', owner } = first;
  const reason = `several files are for the one field "${field}" of ${owner.type} ${owner.id}`;
  throw new OwnerNotResolvedError(place, staged.id, reason);
}

/** Sets a property of the entity, or of one that is embedded in it. */
function setPath(entity: object, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop() ?? path;
  let at = entity as Record<string, unknown>;
  for (const step of steps) {
    const inner = at[step];
    at = (typeof inner === 'object' && inner !== null ? inner : (at[step] = {})) as Record<string, unknown>;
  }
  at[last] = value;
}

function replaced(held: unknown, values: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(held)) return held.map((item) => replaced(item, values));
  return typeof held === 'string' ? (values.get(held) ?? held) : held;
}
