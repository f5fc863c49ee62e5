import { ownerIdOf } from '../files/owner-reference.js';
import type { Place } from './object-index.js';

/**
 * Where an owner's id is, seen from the object that holds the file: a name, or steps of which `'..'` goes to the parent
 * object.
 */
export type IdField = string | readonly string[];

export function idSteps(idField: IdField): readonly string[] {
  return typeof idField === 'string' ? [idField] : idField;
}

/** The id at the steps, in the form of an owner's id; undefined if there is no usable value. */
export function idAt(place: Pick<Place, 'object' | 'parents'>, steps: readonly string[]): string | undefined {
  const target = follow(place, steps);
  return target === undefined ? undefined : ownerIdOf(target.value);
}

/** The object that the id is read from. */
export function idHolder(place: Pick<Place, 'object' | 'parents'>, steps: readonly string[]): unknown {
  return steps.length === 1 ? place.object : follow(place, steps.slice(0, -1))?.value;
}

function follow(
  { object, parents }: Pick<Place, 'object' | 'parents'>,
  steps: readonly string[],
): { value: unknown } | undefined {
  let value: unknown = object;
  const above = [...parents];
  for (const step of steps) {
    if (step === '..') {
      if (above.length === 0) return undefined;
      value = above.pop();
    } else {
      if (typeof value !== 'object' || value === null) return undefined;
      above.push(value);
      value = (value as Record<string, unknown>)[step];
    }
  }
  return { value };
}
