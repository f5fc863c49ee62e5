import { OwnerNotResolvedError } from '../../errors/owner-not-resolved.error.js';
import { idAt } from '../id-field.js';
import { idsIn, placesLike, read } from '../object-index.js';
import type { Place, Step } from '../object-index.js';
import { resolveOwner, statedOwner } from '../owner-resolution.js';
import type { CallOutcome } from '../owner-resolution.js';
import type { DetachedField } from './detached-field.js';

/**
 * The ids of the entities that the field may be a field of: one, or several where it cannot be told which. A field that names files
 * is found by them, as their transfers are. One that was emptied is found by its DTO, and the entity must not show the contrary.
 */
export function fieldOwners(field: DetachedField, outcome: CallOutcome): string[] {
  const [fileId] = field.sent ?? [];
  if (fileId !== undefined) return [resolveOwner({ ...field, fileId }, outcome)];
  const place = placeOf(field, outcome);
  const stated = statedOwner(field, place?.object, outcome);
  if (stated !== undefined) return [stated];
  if (!place) throw unresolved(field, 'the DTO is not among the arguments of the method');
  const path = place.path.slice(1);
  return path.length === 0 ? [ownerOfRoot(field, outcome)] : ownersLike(field, place, path, outcome);
}

/** Pipes without `transform` validate a copy that the method never gets: then it is the one object whose field is empty, too. */
function placeOf({ dto, property }: DetachedField, { inArguments }: CallOutcome): Place | undefined {
  const place = inArguments.find(dto);
  if (place) return place;
  const [first, ...others] = inArguments
    .having(property)
    .filter(({ object }) => idsIn(read(object, property)).length === 0);
  return others.length === 0 ? first : undefined;
}

function ownerOfRoot(field: DetachedField, { result, inResult }: CallOutcome): string {
  if (typeof result !== 'object' || result === null) throw unresolved(field, 'the result is not an object');
  const shown = read(result, field.property);
  if (contradicts(field, shown)) throw unresolved(field, `the result still holds a file in "${field.property}"`);
  if (shown === undefined && inResult.having(field.property).length > 0) {
    throw unresolved(field, `not the result itself, but an object inside of it has "${field.property}"`);
  }
  return idOf(field, { object: result, parents: [] });
}

function ownersLike(
  field: DetachedField,
  { object: dto }: Place,
  path: readonly Step[],
  outcome: CallOutcome,
): string[] {
  const places = placesLike(outcome.result, path);
  const dtoId = idAt({ object: dto, parents: [] }, field.idSteps);
  const candidates = dtoId === undefined ? places : places.filter((place) => idAt(place, field.idSteps) === dtoId);
  const emptied = candidates.filter(({ object }) => !contradicts(field, read(object, field.property)));
  if (emptied.length === 0) {
    throw unresolved(field, `the result has no entity at its place whose "${field.property}" is empty`);
  }
  return [...new Set(emptied.map((place) => idOf(field, place)))];
}

// A list may have been merged into what was there before, but null is null.
function contradicts({ sent }: DetachedField, shown: unknown): boolean {
  return sent === null && idsIn(shown).length > 0;
}

function idOf(field: DetachedField, place: Pick<Place, 'object' | 'parents'>): string {
  const id = idAt(place, field.idSteps);
  if (id === undefined) throw unresolved(field, `the entity has no id at "${field.idSteps.join('.')}"`);
  return id;
}

export function unresolved({ dtoName, property }: DetachedField, reason: string): OwnerNotResolvedError {
  return new OwnerNotResolvedError(`${dtoName}.${property}`, undefined, reason);
}
