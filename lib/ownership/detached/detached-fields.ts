import type { UnitQueue } from '../../task-queue/unit-queue.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { deleteFiles, releaseFiles } from '../let-go.js';
import { receivedOf } from '../owner-resolution.js';
import type { CallOutcome } from '../owner-resolution.js';
import { heldFiles } from '../statements/held-files.js';
import type { FileSnapshot } from '../statements/transfer-statements.js';
import { TransferRuntime } from '../transfer-runtime.js';
import type { DetachedField } from './detached-field.js';
import { fieldOwners, unresolved } from './field-owners.js';

interface Resolved {
  readonly field: DetachedField;
  readonly owners: readonly string[];
}

const FIELDS = Symbol('nestjs-files:detached-fields');

/** The fields of a call that let go of what they held. What they let go of is found and dealt with in one go, before the first transfer. */
export class DetachedFields {
  #fields: DetachedField[] = [];

  /** Those of the unit, made when there are none yet. */
  static of(unit: UnitOfWork): DetachedFields {
    return unit.slot(FIELDS, () => new DetachedFields());
  }

  static find(unit: UnitOfWork): DetachedFields | undefined {
    return unit.peek(FIELDS);
  }

  get isWaiting(): boolean {
    return this.#fields.length > 0;
  }

  add(field: DetachedField): void {
    // Once for each item of a list with `each`.
    const isKnown = this.#fields.some(
      ({ dto, rule, property }) => dto === field.dto && rule === field.rule && property === field.property,
    );
    if (!isKnown) this.#fields.push(field);
  }

  /**
   * Releases or deletes the files that the fields held and do not name any more. They and `claimed`, the files of all transfers of the
   * unit, are locked in one statement in the order of their ids; what is claimed, or still named by the result, stays.
   */
  async letGo({ unit }: UnitQueue, outcome: CallOutcome, claimed: ReadonlySet<string>): Promise<void> {
    const fields = receivedOf(this.#fields, outcome);
    this.#fields = [];
    const resolved = fields.map((field): Resolved => ({ field, owners: fieldOwners(field, outcome) }));
    const holdings = resolved.flatMap(({ field, owners }) =>
      owners.map((id) => ({ owner: { type: field.ownerType, id }, field: field.property })),
    );
    const held = new Set((await heldFiles(unit.manager, holdings)).filter((id) => !claimed.has(id)));
    if (held.size === 0) return;
    const runtime = TransferRuntime.of(unit.dataSource);
    const locked = await runtime.statements.lock(unit.manager, [...held, ...claimed]);
    const released: FileSnapshot[] = [];
    const deleted: FileSnapshot[] = [];
    for (const file of locked) {
      // The statement that found it took no lock, so what it was found by is looked at again.
      const holder = held.has(file.id) && !outcome.inResult.names(file.id) ? holderOf(file, resolved) : undefined;
      if (holder) (holder.detached === 'delete' ? deleted : released).push(file);
    }
    await releaseFiles(runtime, unit, released);
    await deleteFiles(runtime, unit, deleted);
  }
}

function holderOf(file: FileSnapshot, resolved: readonly Resolved[]): DetachedField | undefined {
  const { ownerType, ownerId, ownerField } = file;
  const holder = resolved.find(
    ({ field, owners }) =>
      field.ownerType === ownerType && field.property === ownerField && ownerId !== null && owners.includes(ownerId),
  );
  if (holder && holder.owners.length > 1) {
    throw unresolved(
      holder.field,
      `several entities of the result may be meant, and ${ownerType} ${ownerId} holds a file`,
    );
  }
  return holder?.field;
}
