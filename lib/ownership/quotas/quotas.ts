import { Inject, Injectable, Optional } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { QuotaExceededError } from '../../errors/ownership.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { Room } from '../../files/content/room.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { QUOTAS, quotaLimits } from './quota-options.js';
import type { Limits, QuotaOptions } from './quota-options.js';
import { addUsage, countedUsage, recordedUsage, recountUsage } from './usage.js';
import type { Amount, Recount } from './usage.js';

// Deadlocks with changes of the owner's files are tried again this often.
const RETRIES = 5;

/** A file that comes to an owner, or goes from it. */
export interface UsageChange {
  readonly owner: OwnerReference | null;
  readonly bytes: number;
  readonly count: number;
}

interface Charge {
  /** A file that is still to be deleted. */
  readonly going?: string;
  /** Whether an owner that exceeds its quota is refused. */
  readonly isLimited?: boolean;
}

/**
 * The usage and the limits of owners. Owner types without a quota cost nothing. The usage of an owner is kept in a row
 * that every change of its files locks, so that two of them cannot both take the last byte.
 */
@Injectable()
export class Quotas {
  /** @internal */
  constructor(
    private readonly transactor: Transactor,
    @Optional() @Inject(QUOTAS) private readonly options: QuotaOptions = {},
  ) {}

  /** Whether no owners are counted at all. */
  get isEmpty(): boolean {
    return Object.keys(this.options).length === 0;
  }

  /** Whether owners of this type are counted. */
  isCounted(ownerType: string): boolean {
    return Object.hasOwn(this.options, ownerType);
  }

  /** The usage of the owner. */
  async usage(owner: OwnerReference): Promise<Amount> {
    const { manager } = this.transactor.dataSource;
    const row = this.isCounted(owner.type) ? await recordedUsage(manager, owner) : null;
    return row ? { bytes: row.bytes, count: row.count } : countedUsage(manager, owner);
  }

  /**
   * Throws `QuotaExceededError` unless the owner has room at this moment for so many more bytes, and one more file.
   * Nothing is reserved. For a refusal before the bytes of an upload are read.
   */
  async assertRoom(owner: OwnerReference | null, bytes: number, count = 1): Promise<void> {
    await this.roomFor(owner, { bytes, count });
  }

  /**
   * As `assertRoom()`, and tells how many bytes the owner may still take; `undefined` if these are not limited.
   * @internal
   */
  async roomFor(owner: OwnerReference | null, added: Amount): Promise<Room | undefined> {
    const limits = owner && (await this.#limitsOf(owner));
    if (!limits) return undefined;
    const has = await this.usage(owner);
    assertWithin(owner, limits, { bytes: has.bytes + added.bytes, count: has.count + added.count }, added);
    return roomWithin(limits, owner, has.bytes);
  }

  /**
   * How many bytes an owner of this type may have at most, before it is known which one; `undefined` where the type has
   * no quota of bytes, or where only the application can tell.
   * @internal
   */
  roomOfType(ownerType: string): Room | undefined {
    const option = this.isCounted(ownerType) ? this.options[ownerType] : undefined;
    if (option === undefined || typeof option === 'function') return undefined;
    return roomWithin(quotaLimits(ownerType, option), { type: ownerType }, 0);
  }

  /**
   * Counts the owner's files again, where they were changed past this library or while the owner's type had no quota.
   */
  async recount(owner: OwnerReference): Promise<Amount> {
    return (await this.rebuild(owner)).counted;
  }

  /**
   * As `recount()`, and tells what was recorded before.
   * @internal
   */
  rebuild(owner: OwnerReference): Promise<Recount> {
    return this.transactor.run(({ manager }) => recountUsage(manager, owner), { retry: RETRIES });
  }

  /**
   * Adds the files that came to owners, and subtracts those that went, after the change in the same transaction.
   * Throws `QuotaExceededError` if an owner exceeds its quota now. Called once for all changes since the last call: an
   * owner without a row of usage is counted now, so a change that is charged later would count twice.
   * @internal
   */
  async charge(
    manager: EntityManager,
    changes: readonly UsageChange[],
    { going, isLimited = true }: Charge = {},
  ): Promise<void> {
    const limited: { owner: OwnerReference; added: Amount; limits: Limits | undefined }[] = [];
    // Asked for before any row is locked, because the application may take its time.
    for (const { owner, added } of this.#netOf(changes)) {
      const limits = isLimited && (added.bytes > 0 || added.count > 0) ? await this.#limitsOf(owner) : undefined;
      limited.push({ owner, added, limits });
    }
    for (const { owner, added, limits } of limited) {
      await addUsage(manager, owner, added, going);
      const usage = limits && (await recordedUsage(manager, owner));
      if (usage) assertWithin(owner, limits, usage, added);
    }
  }

  async #limitsOf({ type, id }: OwnerReference): Promise<Limits | undefined> {
    const option = this.isCounted(type) ? this.options[type] : undefined;
    const quota = typeof option === 'function' ? await option(id) : option;
    return quota ? quotaLimits(type, quota) : undefined;
  }

  /**
   * One change for each owner, in an order that is the same for everybody: their rows are locked one after the other.
   */
  #netOf(changes: readonly UsageChange[]): { owner: OwnerReference; added: Amount }[] {
    const net = new Map<string, { owner: OwnerReference; added: Amount }>();
    for (const { owner, bytes, count } of changes) {
      if (!owner || !this.isCounted(owner.type)) continue;
      const key = JSON.stringify([owner.type, owner.id]);
      const { added } = net.get(key) ?? { added: { bytes: 0, count: 0 } };
      net.set(key, { owner, added: { bytes: added.bytes + bytes, count: added.count + count } });
    }
    const changed = [...net].filter(([, { added }]) => added.bytes !== 0 || added.count !== 0);
    return changed.toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, change]) => change);
  }
}

function roomWithin({ bytes: limit }: Limits, owner: Partial<OwnerReference> & { type: string }, has: number) {
  if (limit === Infinity) return undefined;
  const exceeded = (more: number) => new QuotaExceededError(owner.type, owner.id, 'bytes', limit, has + more);
  return new Room(Math.max(0, limit - has), exceeded);
}

function assertWithin({ type, id }: OwnerReference, limits: Limits, usage: Amount, added: Amount): void {
  for (const limited of ['bytes', 'count'] as const) {
    // An owner over its quota may still lose files.
    if (added[limited] > 0 && usage[limited] > limits[limited]) {
      throw new QuotaExceededError(type, id, limited, limits[limited], usage[limited]);
    }
  }
}
