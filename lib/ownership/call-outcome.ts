import { normalizeFileId } from '../files/file-id.js';
import { byHeldFile, idsIn, ObjectIndex, placesLike } from './object-index.js';
import type { Place, Step } from './object-index.js';

/** A field of a DTO that asks to give a file to an entity. */
export interface FileClaim {
  readonly fileId: string;
  readonly dto: object;
  readonly dtoName: string;
  readonly property: string;
  readonly ownerType: string;
  readonly idSteps: readonly string[];
  /** Another property under which the entity may hold the file. */
  readonly heldAs?: string | undefined;
  /** The entity, or its id. */
  readonly owner?: ((result: never, dto: never) => unknown) | undefined;
}

/** The arguments of a decorated method, and its result. */
export class CallOutcome {
  #arguments: ObjectIndex | undefined;
  #result: ObjectIndex | undefined;
  readonly #named = new Map<object, ReadonlySet<string>>();
  readonly #alike = new Map<string, ReadonlyMap<string, readonly Place[]>>();

  constructor(
    readonly args: readonly unknown[],
    readonly result: unknown,
    /** The entities that `queue.bind(dto, entity)` named. */
    private readonly bindings: ReadonlyMap<object, object> = new Map(),
    /** The owner types of the entity classes with `@OwnsFiles()`. */
    readonly ownerTypes: ReadonlySet<string> = new Set(),
  ) {}

  /** Whether `queue.bind()` was called at all. */
  get hasBindings(): boolean {
    return this.bindings.size > 0;
  }

  /** The entity that `queue.bind(dto, entity)` named. */
  bound(dto: object): object | undefined {
    return this.bindings.get(dto);
  }

  get inArguments(): ObjectIndex {
    return (this.#arguments ??= new ObjectIndex(this.args));
  }

  get inResult(): ObjectIndex {
    return (this.#result ??= new ObjectIndex(this.result));
  }

  /** Whether a field's value names the file. A list is read once, however many files are looked for. */
  isNamedBy(value: unknown, fileId: string): boolean {
    if (typeof value !== 'object' || value === null) return value === fileId || normalizeFileId(value) === fileId;
    let ids = this.#named.get(value);
    if (ids === undefined) this.#named.set(value, (ids = new Set(idsIn(value))));
    return ids.has(fileId);
  }

  /**
   * The objects of the result at the path that hold the file in the property. Indexes of lists in the path may differ.
   */
  holdersLike(path: readonly Step[], property: string, fileId: string): readonly Place[] {
    const key = JSON.stringify([path.map((step) => (typeof step === 'number' ? 0 : step)), property]);
    let holders = this.#alike.get(key);
    if (holders === undefined) this.#alike.set(key, (holders = byHeldFile(placesLike(this.result, path), property)));
    return holders.get(fileId) ?? [];
  }
}

/**
 * Leaves out the findings on copies of a DTO: if the method received one of the DTOs on which a field was found, only
 * the findings on received DTOs remain for that field.
 */
export function receivedOf<T extends { readonly dto: object; readonly rule: object }>(
  found: readonly T[],
  { inArguments }: CallOutcome,
): T[] {
  const isReceived = ({ dto }: T): boolean => inArguments.find(dto) !== undefined;
  const rules = new Set(found.filter(isReceived).map(({ rule }) => rule));
  return found.filter((one) => !rules.has(one.rule) || isReceived(one));
}

/**
 * The claims of one file, without those that would find the same owners: claims of one field in several DTOs of a list.
 * Each of them would search the same objects of the result again.
 */
export function distinctClaims<T extends FileClaim & { readonly rule: object }>(
  claims: readonly T[],
  outcome: CallOutcome,
): T[] {
  const seen = new Map<object, Set<string>>();
  return claims.filter(({ dto, owner, rule }) => {
    if (owner || outcome.bound(dto)) return true;
    const place = outcome.inArguments.find(dto);
    const kinds = seen.get(rule) ?? new Set<string>();
    seen.set(rule, kinds);
    const kind = place ? kindOfPlace(place) : '';
    return !kinds.has(kind) && Boolean(kinds.add(kind));
  });
}

/** A key that is the same for places of the arguments that differ only by their indexes in lists. */
export function kindOfPlace({ path }: Place): string {
  return JSON.stringify(path.slice(1).map((step) => (typeof step === 'number' ? 0 : step)));
}

/**
 * The place of the claim's DTO in the arguments. If the DTO is not there, because a pipe without `transform` has
 * validated a copy, the places of all objects with the same file id in the same property.
 */
export function dtoPlaces({ dto, property, fileId }: FileClaim, { inArguments }: CallOutcome): readonly Place[] {
  const place = inArguments.find(dto);
  return place ? [place] : inArguments.holding(property, fileId);
}
