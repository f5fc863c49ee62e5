import { assertOwnerReference } from '../files/owner-reference.js';
import { InvalidDecorationError } from '../errors/invalid-decoration.error.js';

type EntityClass = abstract new (...args: never[]) => object;

const classes = new Map<string, Set<EntityClass>>();
const types = new WeakMap<EntityClass, string>();

/**
 * Says that the entities of a class own files, as owners of this type.
 * @example \@Entity() \@OwnsFiles('package') export class Package {}
 */
export function OwnsFiles(ownerType: string): (target: EntityClass) => void {
  assertOwnerReference({ type: ownerType, id: 'any' });
  return (target) => {
    const other = types.get(target);
    if (other !== undefined && other !== ownerType) {
      throw new InvalidDecorationError(
        '@OwnsFiles()',
        `class ${target.name}`,
        `it is the owner type "${other}" already.`,
      );
    }
    types.set(target, ownerType);
    const known = classes.get(ownerType);
    if (known) known.add(target);
    else classes.set(ownerType, new Set([target]));
  };
}

/** The owner type of an entity class, or of the nearest class it extends. */
export function ownerTypeOf(entityClass: EntityClass): string | undefined {
  for (let at: unknown = entityClass; typeof at === 'function'; at = Object.getPrototypeOf(at)) {
    const type = types.get(at as EntityClass);
    if (type !== undefined) return type;
  }
  return undefined;
}

/** The entity classes whose entities own files under the type. */
export function entityClassesOf(ownerType: string): readonly EntityClass[] {
  return [...(classes.get(ownerType) ?? [])];
}
