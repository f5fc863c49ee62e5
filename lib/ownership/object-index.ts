import { EventEmitter } from 'node:events';
import { normalizeFileId } from '../files/file-id.js';

export type Step = string | number;

/** An object inside another value. It keeps one step alone: ways of their own would take much in a deep value. */
export class Place {
  constructor(
    readonly object: object,
    private readonly around?: Place,
    private readonly step: Step = '',
  ) {}

  /** How to get there: names of properties, numbers for places in a list. */
  get path(): readonly Step[] {
    const path = this.around ? [this.step] : [];
    for (let at = this.around; at?.around; at = at.around) path.push(at.step);
    return path.toReversed();
  }

  /** The objects on the way, the outermost first; lists do not count. */
  get parents(): readonly object[] {
    const parents: object[] = [];
    for (let at = this.around; at; at = at.around) if (!isList(at.object)) parents.push(at.object);
    return parents.toReversed();
  }
}

/** The places of the objects inside a value, which can be found by identity or by the file they hold. */
export class ObjectIndex {
  readonly #places = new Map<object, Place>();
  readonly #holders = new Map<string, ReadonlyMap<string, readonly Place[]>>();
  #naming: ReadonlyMap<string, readonly Naming[]> | undefined;

  constructor(root: unknown) {
    const queue: Place[] = isData(root) ? [new Place(root)] : [];
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

  /** The shortest ways to the properties that hold the file's id, seen from the root's items: 100 at most. */
  pathsTo(fileId: string): readonly Step[][] {
    this.#naming ??= namingById(this.#places.values());
    const naming = this.#naming.get(fileId) ?? [];
    return naming.map(({ place, property }) => [...place.path.slice(1), property]);
  }

  /** The objects that hold the file's id under the property. */
  holding(property: string, fileId: string): readonly Place[] {
    let holders = this.#holders.get(property);
    if (holders === undefined) this.#holders.set(property, (holders = byHeldFile(this.#places.values(), property)));
    return holders.get(fileId) ?? [];
  }
}

// Whoever gets a refusal does not read more, and a file can be named anywhere in a value.
const MOST_WAYS = 100;

/** A property that names a file. */
interface Naming {
  readonly place: Place;
  readonly property: string;
}

function namingById(places: Iterable<Place>): ReadonlyMap<string, readonly Naming[]> {
  const naming = new Map<string, Naming[]>();
  for (const place of places) {
    for (const [property, value] of dataOf(place.object)) {
      for (const id of new Set(idsIn(value))) {
        const others = naming.get(id) ?? [];
        naming.set(id, others);
        if (others.length < MOST_WAYS) others.push({ place, property });
      }
    }
  }
  return naming;
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
  let places: Place[] = isData(root) ? [new Place(root)] : [];
  for (const step of path) {
    places = places.flatMap((place) => {
      if (typeof step === 'number') return isList(place.object) ? [...childrenOf(place)] : [];
      if (isList(place.object) && !(place.object instanceof Map)) return [];
      return childAt(place, step, read(place.object, step));
    });
  }
  return places.filter(({ object }) => !isList(object));
}

/**
 * The file ids that a field's value names: one, several, or those of related objects. They are in lower case, also
 * where a pipe without `transform` has left the spelling of the client to the handler.
 */
export function idsIn(value: unknown): string[] {
  if (typeof value === 'string') return [normalizeFileId(value) ?? value];
  if (!isData(value)) return [];
  const ids: string[] = [];
  const add = (id: unknown): void => {
    if (typeof id === 'string') ids.push(normalizeFileId(id) ?? id);
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
  return isData(object) ? [new Place(object, place, step)] : [];
}
