import { OwnerConflictError, OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { ownerIdOf } from '../files/owner-reference.js';
import { dtoPlaces, kindOfPlace } from './call-outcome.js';
import type { CallOutcome, FileClaim } from './call-outcome.js';
import { idAt, idHolder } from './id-field.js';
import { otherEntity } from './owner-entities.js';
import { read } from './object-index.js';
import type { Place, Step } from './object-index.js';

/** A field, also one that names no file. */
type ClaimedField = Omit<FileClaim, 'fileId'> & { readonly fileId: string | undefined };

/**
 * The id of the claim's owner, read from the result. A place in the result counts only if the entity there holds the
 * file, so that results in another order, merged or wrapped give the right owner or OwnerNotResolvedError, never a
 * wrong one.
 */
export function resolveOwner(claim: FileClaim, outcome: CallOutcome): string {
  return agreedId(claim, candidates(claim, outcome));
}

/** An owner, and the objects that its id was read from: none where only the id is known. */
export interface FoundOwner {
  readonly id: string;
  readonly entities: readonly object[];
}

/** As `resolveOwner`, with the entities of the result. */
export function findOwner(claim: FileClaim, outcome: CallOutcome): FoundOwner {
  const found = candidates(claim, outcome);
  return { id: agreedId(claim, found), entities: [...new Set(found.flatMap(({ entity }) => entity ?? []))] };
}

/** As `findOwner`; undefined where the result does not tell. */
export function shownOwner(claim: FileClaim, outcome: CallOutcome): FoundOwner | undefined {
  try {
    return findOwner(claim, outcome);
  } catch (error) {
    if (error instanceof OwnerNotResolvedError || error instanceof OwnerConflictError) return undefined;
    throw error;
  }
}

interface Candidate {
  readonly id: string;
  readonly entity: object | undefined;
}

function candidates(claim: FileClaim, outcome: CallOutcome): Candidate[] {
  return bindings(claim, outcome) ?? named(claim, outcome) ?? located(claim, outcome);
}

function agreedId(claim: FileClaim, found: readonly Candidate[]): string {
  const [first] = found;
  if (first === undefined) throw unresolved(claim, 'no entity of the result holds it in that field');
  if (found.every(({ id }) => id === first.id)) return first.id;
  const owners = new Set(found.map(({ id }) => `${claim.ownerType} ${id}`));
  throw new OwnerConflictError(claim.fileId, [...owners]);
}

/** The owner's id, if `bind()` or the field's `owner()` names the owner. */
export function statedOwner(
  field: Omit<FileClaim, 'fileId'>,
  received: object | undefined,
  outcome: CallOutcome,
): string | undefined {
  const entity = outcome.bound(field.dto) ?? (received && outcome.bound(received));
  if (!entity && !field.owner) return undefined;
  const claim = { ...field, fileId: undefined };
  return (entity ? ofBound(claim, entity, outcome) : named(claim, outcome)?.[0])?.id;
}

function bindings(claim: FileClaim, outcome: CallOutcome): Candidate[] | undefined {
  const direct = outcome.bound(claim.dto);
  if (direct) return [ofBound(claim, direct, outcome)];
  const places = dtoPlaces(claim, outcome);
  if (!places.some(({ object }) => outcome.bound(object))) return undefined;
  return ownersAtAll(claim, places, outcome);
}

function ofBound(claim: ClaimedField, entity: object, outcome: CallOutcome): Candidate {
  // Its parents are needed only to go up, and known only inside the result.
  const place = outcome.inResult.find(entity) ?? { object: entity, parents: [] };
  return candidate(claim, place, outcome, 'the bound entity');
}

function named(claim: ClaimedField, outcome: CallOutcome): Candidate[] | undefined {
  if (!claim.owner) return undefined;
  const owner = claim.owner(outcome.result as never, claim.dto as never);
  if (typeof owner === 'object' && owner !== null)
    return [candidate(claim, { object: owner, parents: [] }, outcome, 'what owner() gave')];
  return [{ id: ownerIdOf(owner) ?? fail(claim, `owner() gave ${typeof owner}`), entity: undefined }];
}

/** The owner that is found from a place; `what` is the name of the place in messages. */
function candidate(
  claim: ClaimedField,
  place: Pick<Place, 'object' | 'parents'>,
  { ownerTypes }: CallOutcome,
  what: string,
): Candidate & { readonly entity: object } {
  const id = idAt(place, claim.idSteps) ?? fail(claim, `${what} has no id at "${claim.idSteps.join('.')}"`);
  const entity = idHolder(place, claim.idSteps) as object;
  const other = otherEntity(entity, claim.ownerType, ownerTypes);
  if (other !== undefined)
    throw unresolved(claim, `${what} is of class ${other}, which does not own as "${claim.ownerType}"`);
  return { id, entity };
}

function located(claim: FileClaim, outcome: CallOutcome): Candidate[] {
  const places = dtoPlaces(claim, outcome);
  if (places.length === 0) throw unresolved(claim, 'the DTO is not among the arguments of the method');
  return ownersAtAll(claim, places, outcome);
}

/**
 * The entities that were bound to the places, and otherwise those at like places of the result. Places that differ only
 * by indexes are looked up once.
 */
function ownersAtAll(claim: FileClaim, places: readonly Place[], outcome: CallOutcome): Candidate[] {
  const seen = new Set<string>();
  return places.flatMap((place) => {
    const entity = outcome.bound(place.object);
    if (entity) return [ofBound(claim, entity, outcome)];
    const kind = kindOfPlace(place);
    if (seen.has(kind)) return [];
    seen.add(kind);
    return ownersAt(claim, place, outcome);
  });
}

function ownersAt(claim: FileClaim, { path }: Place, outcome: CallOutcome): Candidate[] {
  // The first step is the place of the argument.
  const inside = path.slice(1);
  return inside.length === 0 ? [ownerOfRoot(claim, outcome)] : ownersLike(claim, inside, outcome);
}

/** A DTO that is an argument itself: the whole result is its entity. */
function ownerOfRoot(claim: FileClaim, outcome: CallOutcome): Candidate {
  const { result } = outcome;
  if (typeof result !== 'object' || result === null) throw unresolved(claim, 'the result is not an object');
  const root = { object: result, parents: [] };
  const owner = candidate(claim, root, outcome, 'the result');
  const shown = [result, owner.entity].map((object) => read(object, claim.property));
  if (shown.every((value) => value === undefined)) {
    if (isHeldInside(claim, outcome))
      throw unresolved(claim, 'not the result itself, but an object inside of it holds the file');
  } else if (!shown.some((value) => outcome.isNamedBy(value, claim.fileId))) {
    throw unresolved(claim, `the result holds something else in "${claim.property}"`);
  }
  return owner;
}

/** A nested DTO: the entities at the same place of the result, or beside it, that hold the file. */
function ownersLike(claim: FileClaim, path: readonly Step[], outcome: CallOutcome): Candidate[] {
  const holders = propertiesOf(claim).flatMap((property) => outcome.holdersLike(path, property, claim.fileId));
  return holders.map((holder) => candidate(claim, holder, outcome, 'the entity that holds it'));
}

/** Whether an object within the result holds the file, and not the result itself. */
function isHeldInside(claim: FileClaim, { result, inResult }: CallOutcome): boolean {
  const holders = propertiesOf(claim).flatMap((property) => inResult.holding(property, claim.fileId));
  return holders.length > 0 && !holders.some(({ object }) => object === result);
}

function propertiesOf({ property, heldAs = property }: ClaimedField): readonly string[] {
  return [...new Set([property, heldAs])];
}

function unresolved(claim: ClaimedField, reason: string): OwnerNotResolvedError {
  return new OwnerNotResolvedError(`${claim.dtoName}.${claim.property}`, claim.fileId, reason);
}

function fail(claim: ClaimedField, reason: string): never {
  throw unresolved(claim, reason);
}
