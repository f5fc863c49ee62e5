import type { FieldProblem } from '../errors/file-problem.js';
import { OwnerConflictError } from '../errors/ownership.errors.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import type { Claimant } from './guard/change-rights.js';
import { rowOwner } from './guard/row-owners.js';
import type { RowOwners, WantedOwner } from './guard/row-owners.js';
import { OwnershipTransferTask } from './ownership-transfer.task.js';
import { distinctClaims, dtoPlaces, receivedOf } from './call-outcome.js';
import type { CallOutcome, FileClaim } from './call-outcome.js';
import { resolveOwner } from './owner-resolution.js';
import type {
  FileSnapshot,
  Move,
  OwnershipState,
  TransferOutcome,
  Unsafe,
  Verdict,
} from './statements/transfer-statements.js';
import { unsafe } from './statements/transfer-statements.js';
import type { Refusal, RefusalMessage, TransferTarget } from './transfer-target.js';

export type ClaimRefusal = 'foreign' | 'pinned' | Unsafe;

/** What the late check compares with the locked row. */
type SeenState = OwnershipState & Pick<FileSnapshot, 'scan' | 'replacedAt'>;

/** A claim that passed its early check. */
export interface CheckedClaim extends FileClaim {
  /** The decorated field, the same for all copies of the DTO. */
  readonly rule: object;
  readonly allowUnowned: boolean;
  /** The actor who has to have the right to change the owner. */
  readonly claimant: Claimant | undefined;
  /** The state of the file at the early check. */
  readonly seen: SeenState;
  /** Whether it is unknown if the actor may see the file. Then a refusal must not reveal that the file exists. */
  readonly isHidden: boolean;
  /** The message of the constraint about these files of the field; `way` leads to its DTO. */
  readonly message: (reason: ClaimRefusal, fileIds: readonly string[], way: string) => FieldProblem;
}

const CLAIMS = Symbol('nestjs-files:claims');

/**
 * Queues the transfer of the claimed file, once per file: several pipes validate the same field, and two fields may
 * name one file.
 */
export function queueClaim(queue: UnitQueue, claim: CheckedClaim): void {
  const queued = queue.unit.slot(CLAIMS, () => new Map<string, FileClaims>());
  const claims = queued.get(claim.fileId);
  if (claims && !claims.isTaken) return claims.add(claim);
  const fresh = new FileClaims(claim);
  queued.set(claim.fileId, fresh);
  queue.add(new OwnershipTransferTask(claim.fileId, claim.ownerType, fresh));
}

/** The claims of a unit of work for one file, until its transfer runs. They have to agree. */
export class FileClaims implements TransferTarget {
  readonly #claims: CheckedClaim[];
  #last: CheckedClaim;
  #isTaken = false;

  constructor(private readonly first: CheckedClaim) {
    this.#claims = [first];
    this.#last = first;
  }

  /** Whether its transfer runs already, so that it takes no more claims. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  get field(): string {
    return this.first.property;
  }

  get claimants(): Claimant[] {
    return this.#claims.flatMap(({ claimant }) => claimant ?? []);
  }

  /** The terms of the strictest claim. */
  get from(): Move['from'] {
    return this.#claims.every(({ allowUnowned }) => allowUnowned) ? 'unowned' : 'actor';
  }

  /** What was examined first: each later rule has examined the same content, if it is there still. */
  get seen(): number {
    return this.first.seen.replacedAt;
  }

  get wanted(): readonly WantedOwner[] {
    const { seen } = this.#last;
    const by = ({ fileId, ownerType }: CheckedClaim): WantedOwner => {
      return { fileId, ownerType, seenId: seen.ownerType === ownerType ? seen.ownerId : null };
    };
    if (this.#claims.length === 1) return [by(this.first)];
    return [...new Map(this.#claims.map((claim) => [claim.ownerType, by(claim)])).values()];
  }

  add(claim: CheckedClaim): void {
    this.#claims.push(claim);
    this.#last = claim;
  }

  owner(outcome: CallOutcome, rows: RowOwners): OwnerReference {
    this.#isTaken = true;
    if (this.#claims.length === 1) return ownerBy(this.first, outcome, rows);
    const owners = new Map<string, OwnerReference>();
    for (const claim of distinctClaims(receivedOf(this.#claims, outcome), outcome)) {
      const owner = ownerBy(claim, outcome, rows);
      owners.set(`${owner.type} ${owner.id}`, owner);
    }
    const [owner, ...others] = owners.values();
    if (owner === undefined || others.length > 0) throw new OwnerConflictError(this.first.fileId, [...owners.keys()]);
    return owner;
  }

  refusal({ verdict, before, fileId }: TransferOutcome, outcome: CallOutcome): Refusal {
    const { seen, isHidden } = this.#last;
    const isUnchanged =
      before.ownerType === seen.ownerType && before.ownerId === seen.ownerId && before.pinned === seen.pinned;
    const told = isUnchanged ? toldReason(verdict, seen) : undefined;
    if (!told && !isHidden) return { kind: 'changed', fileId };
    const reason = isHidden || !told ? 'foreign' : told;
    const messages = receivedOf(this.#claims, outcome).map((claim): RefusalMessage => {
      const [place] = dtoPlaces(claim, outcome);
      // Nest puts the way to a nested DTO before its messages.
      const way = (place?.path.slice(1) ?? []).map((step) => `${step}.`).join('');
      return {
        key: `${way}${claim.property} ${reason}`,
        fileId,
        write: (fileIds) => claim.message(reason, fileIds, way),
      };
    });
    return { kind: 'invalid', messages };
  }
}

/** The refusal, if the file was like that at the early check. */
function toldReason(verdict: Verdict, { scan }: SeenState): ClaimRefusal | undefined {
  if (verdict === 'foreign' || verdict === 'pinned') return verdict;
  return (verdict === 'pending' || verdict === 'quarantined') && unsafe(scan, false) === verdict ? verdict : undefined;
}

function ownerBy(claim: CheckedClaim, outcome: CallOutcome, rows: RowOwners): OwnerReference {
  if (rows.isGuarded(claim.ownerType)) return rowOwner(claim, outcome, rows);
  return { type: claim.ownerType, id: resolveOwner(claim, outcome) };
}
