import { FileOwnerConflictError } from '../errors/file-owner-conflict.error.js';
import { OwnerNotResolvedError } from '../errors/owner-not-resolved.error.js';
import { idAt, idHolder, ownerIdOf } from './id-field.js';
import { byHeldFile, idsIn, ObjectIndex, placesLike, read } from './object-index.js';
import type { Place, Step } from './object-index.js';

/** A field of a DTO that says: this file becomes that entity's. */
export interface FileClaim {
  readonly fileId: string;
  readonly dto: object;
  readonly dtoName: string;
  readonly property: string;
  readonly ownerType: string;
  readonly idSteps: readonly string[];
  /** The entity, or its id. */
  readonly owner?: ((result: never, dto: never) => unknown) | undefined;
}

/** A field, also one that names no file. */
type FieldOf = Omit<FileClaim, 'fileId'> & { readonly fileId: string | undefined };

/** What a decorated method was called with, and what it returned. */
export class CallOutcome {
  #arguments: ObjectIndex | undefined;
  #result: ObjectIndex | undefined;
  readonly #named = new Map<object, ReadonlySet<string>>();
  readonly #alike = new Map<string, ReadonlyMap<string, readonly Place[]>>();

  constructor(
    readonly args: readonly unknown[],
    readonly result: unknown,
    /** The entity that `queue.bind(dto, entity)` named. */
    readonly bound: (dto: object) => object | undefined = () => undefined,
  ) {}

  get inArguments(): ObjectIndex {
    return (this.#arguments ??= new ObjectIndex(this.args));
  }

  get inResult(): ObjectIndex {
    return (this.#result ??= new ObjectIndex(this.result));
  }

  /** Whether a field's value names the file. A list is read once, however many files are looked for. */
  isNamedBy(value: unknown, fileId: string): boolean {
    if (typeof value !== 'object' || value === null) return value === fileId;
    let ids = this.#named.get(value);
    if (ids === undefined) this.#named.set(value, (ids = new Set(idsIn(value))));
    return ids.has(fileId);
  }

  /** The objects of the result at the path, in whatever place of its lists, that hold the file in the property. */
  holdersLike(path: readonly Step[], property: string, fileId: string): readonly Place[] {
    const key = JSON.stringify([path.map((step) => (typeof step === 'number' ? 0 : step)), property]);
    let holders = this.#alike.get(key);
    if (holders === undefined) this.#alike.set(key, (holders = byHeldFile(placesLike(this.result, path), property)));
    return holders.get(fileId) ?? [];
  }
}

/**
 * Where the claim's DTO is in the arguments. Pipes without `transform` validate a copy that the method never gets: then each object
 * that names the same file in the same property.
 */
export function dtoPlaces({ dto, property, fileId }: FileClaim, { inArguments }: CallOutcome): readonly Place[] {
  const place = inArguments.find(dto);
  return place ? [place] : inArguments.holding(property, fileId);
}

/**
 * The id of the claim's owner, read from the result. A place in the result counts only if the entity there holds the file, so that
 * results in another order, merged or wrapped give the right owner or OwnerNotResolvedError, never a wrong one.
 */
export function resolveOwner(claim: FileClaim, outcome: CallOutcome): string {
  const resolved = bindings(claim, outcome) ?? named(claim, outcome) ?? located(claim, outcome);
  const ids = new Set(resolved);
  const [id] = ids;
  if (id === undefined) throw unresolved(claim, 'no entity of the result holds it in that field');
  if (ids.size > 1)
    throw new FileOwnerConflictError(
      claim.fileId,
      [...ids].map((owner) => `${claim.ownerType} ${owner}`),
    );
  return id;
}

/** The owner's id where `bind()` or the field's `owner()` says who that is. */
export function statedOwner(
  field: Omit<FileClaim, 'fileId'>,
  received: object | undefined,
  outcome: CallOutcome,
): string | undefined {
  const claim = { ...field, fileId: undefined };
  const entity = outcome.bound(field.dto) ?? (received && outcome.bound(received));
  return entity ? idOfBound(claim, entity, outcome) : named(claim, outcome)?.[0];
}

function bindings(claim: FileClaim, outcome: CallOutcome): string[] | undefined {
  const direct = outcome.bound(claim.dto);
  if (direct) return [idOfBound(claim, direct, outcome)];
  const places = dtoPlaces(claim, outcome);
  if (!places.some(({ object }) => outcome.bound(object))) return undefined;
  return places.flatMap((place) => {
    const entity = outcome.bound(place.object);
    return entity ? [idOfBound(claim, entity, outcome)] : ownersAt(claim, place, outcome);
  });
}

function idOfBound(claim: FieldOf, entity: object, { inResult }: CallOutcome): string {
  // Its parents are needed only to go up, and known only inside the result.
  const place = inResult.find(entity) ?? { object: entity, parents: [] };
  return idAt(place, claim.idSteps) ?? fail(claim, `the bound entity has no id at "${claim.idSteps.join('.')}"`);
}

function named(claim: FieldOf, { result }: CallOutcome): string[] | undefined {
  if (!claim.owner) return undefined;
  const owner = claim.owner(result as never, claim.dto as never);
  const isEntity = typeof owner === 'object' && owner !== null;
  const id = isEntity ? idAt({ object: owner, parents: [] }, claim.idSteps) : ownerIdOf(owner);
  return [
    id ?? fail(claim, `owner() gave ${isEntity ? `an entity without "${claim.idSteps.join('.')}"` : typeof owner}`),
  ];
}

function located(claim: FileClaim, outcome: CallOutcome): string[] {
  const places = dtoPlaces(claim, outcome);
  if (places.length === 0) throw unresolved(claim, 'the DTO is not among the arguments of the method');
  return places.flatMap((place) => ownersAt(claim, place, outcome));
}

function ownersAt(claim: FileClaim, { path }: Place, outcome: CallOutcome): string[] {
  // The first step is the place of the argument.
  const inside = path.slice(1);
  return inside.length === 0 ? [ownerOfRoot(claim, outcome)] : ownersLike(claim, inside, outcome);
}

/** A DTO that is an argument itself: the whole result is its entity. */
function ownerOfRoot(claim: FileClaim, outcome: CallOutcome): string {
  const { result } = outcome;
  if (typeof result !== 'object' || result === null) throw unresolved(claim, 'the result is not an object');
  const root = { object: result, parents: [] };
  const shown = [result, idHolder(root, claim.idSteps)]
    .map((object) => fieldOf(object, claim.property))
    .filter((value) => value !== undefined);
  if (shown.length > 0 && !shown.some((value) => outcome.isNamedBy(value, claim.fileId))) {
    throw unresolved(claim, `the result holds something else in "${claim.property}"`);
  }
  if (shown.length === 0 && outcome.inResult.holding(claim.property, claim.fileId).length > 0) {
    throw unresolved(claim, 'not the result itself, but an object inside of it holds the file');
  }
  return idAt(root, claim.idSteps) ?? fail(claim, `the result has no id at "${claim.idSteps.join('.')}"`);
}

/** A nested DTO: the entities at the same place of the result, or beside it, that hold the file. */
function ownersLike(claim: FileClaim, path: readonly Step[], outcome: CallOutcome): string[] {
  return outcome
    .holdersLike(path, claim.property, claim.fileId)
    .map(
      (holder) =>
        idAt(holder, claim.idSteps) ??
        fail(claim, `the entity that holds it has no id at "${claim.idSteps.join('.')}"`),
    );
}

function fieldOf(object: unknown, property: string): unknown {
  return typeof object === 'object' && object !== null ? read(object, property) : undefined;
}

function unresolved(claim: FieldOf, reason: string): OwnerNotResolvedError {
  return new OwnerNotResolvedError(`${claim.dtoName}.${claim.property}`, claim.fileId, reason);
}

function fail(claim: FieldOf, reason: string): never {
  throw unresolved(claim, reason);
}
