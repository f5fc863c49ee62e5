import { EventEmitter } from 'node:events';

export type Step = string | number;

/** An object inside another value, and how to get there: names of properties, numbers for places in a list. */
export interface Place {
  readonly object: object;
  readonly path: readonly Step[];
  /** The objects on the way, the outermost first; lists do not count. */
  readonly parents: readonly object[];
}

/** The places of the objects inside a value, which can be found by identity or by the file they hold. */
export class ObjectIndex {
  readonly #places = new Map<object, Place>();
  readonly #holders = new Map<string, ReadonlyMap<string, readonly Place[]>>();
  #paths: ReadonlyMap<string, readonly Step[][]> | undefined;

  constructor(root: unknown) {
    const queue: Place[] = isData(root) ? [{ object: root, path: [], parents: [] }] : [];
    const seen = new Set<object>(queue.map(({ object }) => object));
    // Grows while it is walked: breadth first, so that an object is found by its shortest path.
    for (const place of queue) {
      if (!isList(place.object)) this.#places.set(place.object, place);
      for (const child of childrenOf(place)) {
        if (seen.has(child.object)) continue;
        seen.add(child.object);
        queue.push(child);
      }
    }
  }

  find(object: object): Place | undefined {
    return this.#places.get(object);
  }

  /** The objects that have the property, with any value. */
  having(property: string): readonly Place[] {
    return [...this.#places.values()].filter(({ object }) => read(object, property) !== undefined);
  }

  /** The ways to the properties that hold the file's id, seen from the root's items. */
  pathsTo(fileId: string): readonly Step[][] {
    this.#paths ??= pathsById(this.#places.values());
    return this.#paths.get(fileId) ?? [];
  }

  /** The objects that hold the file's id under the property. */
  holding(property: string, fileId: string): readonly Place[] {
    let holders = this.#holders.get(property);
    if (holders === undefined) this.#holders.set(property, (holders = byHeldFile(this.#places.values(), property)));
    return holders.get(fileId) ?? [];
  }
}

function pathsById(places: Iterable<Place>): ReadonlyMap<string, readonly Step[][]> {
  const paths = new Map<string, Step[][]>();
  for (const { object, path } of places) {
    for (const [property, value] of dataOf(object)) {
      for (const id of new Set(idsIn(value))) {
        const others = paths.get(id) ?? [];
        paths.set(id, others);
        others.push([...path.slice(1), property]);
      }
    }
  }
  return paths;
}

/** The places by the ids of the files that their objects hold in the property. */
export function byHeldFile(places: Iterable<Place>, property: string): ReadonlyMap<string, readonly Place[]> {
  const holders = new Map<string, Place[]>();
  for (const place of places) {
    for (const held of new Set(idsIn(readPath(place.object, property)))) {
      const others = holders.get(held);
      if (others) others.push(place);
      else holders.set(held, [place]);
    }
  }
  return holders;
}

/** The objects at the path; an index of a list in it stands for all indexes. */
export function placesLike(root: unknown, path: readonly Step[]): Place[] {
  let places: Place[] = isData(root) ? [{ object: root, path: [], parents: [] }] : [];
  for (const step of path) {
    places = places.flatMap((place) => {
      if (typeof step === 'number') return isList(place.object) ? [...childrenOf(place)] : [];
      if (isList(place.object) && !(place.object instanceof Map)) return [];
      return childAt(place, step, read(place.object, step));
    });
  }
  return places.filter(({ object }) => !isList(object));
}

/** The file ids that a field's value names: one, several, or those of related objects. */
export function idsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (!isData(value)) return [];
  const ids: string[] = [];
  const add = (id: unknown): void => {
    if (typeof id === 'string') ids.push(id);
  };
  if (!Array.isArray(value) && !(value instanceof Set)) add(read(value, 'id'));
  else for (const item of value as Iterable<unknown>) add(isData(item) && !isList(item) ? read(item, 'id') : item);
  return ids;
}

export function read(object: object, key: string): unknown {
  return object instanceof Map ? object.get(key) : (object as Record<string, unknown>)[key];
}

/** As `read`, also of an object within: `media.fileId`. */
export function readPath(object: object, path: string): unknown {
  const value = read(object, path);
  if (value !== undefined || !path.includes('.')) return value;
  let at: unknown = object;
  for (const step of path.split('.')) at = isData(at) ? read(at, step) : undefined;
  return at;
}

function isList(value: unknown): value is unknown[] | Set<unknown> | Map<unknown, unknown> {
  return Array.isArray(value) || value instanceof Set || value instanceof Map;
}

// A request, a socket or a stream among the arguments leads to half of the process, which is not sent data.
function isData(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return !(
    value instanceof EventEmitter ||
    value instanceof Promise ||
    value instanceof Date ||
    ArrayBuffer.isView(value)
  );
}

function* childrenOf(place: Place): Generator<Place> {
  const { object } = place;
  if (Array.isArray(object) || object instanceof Set) {
    let index = 0;
    for (const item of object as Iterable<unknown>) yield* childAt(place, index++, item);
  } else if (object instanceof Map) {
    for (const [key, item] of object) yield* childAt(place, String(key), item);
  } else {
    for (const [key, value] of dataOf(object)) yield* childAt(place, key, value);
  }
}

function dataOf(object: object): [string, unknown][] {
  const data: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    // A getter of an instance may be a lazy relation, which would start a query.
    const property = Object.getOwnPropertyDescriptor(object, key);
    if (property && 'value' in property) data.push([key, property.value]);
  }
  return data;
}

function childAt(place: Place, step: Step, object: unknown): Place[] {
  if (!isData(object)) return [];
  const parents = isList(place.object) ? place.parents : [...place.parents, place.object];
  return [{ object, path: [...place.path, step], parents }];
}
