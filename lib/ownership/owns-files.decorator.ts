import { assertOwnerReference } from '../files/owner-reference.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import { DecorationInvalidError } from '../errors/setup.errors.js';

type EntityClass<Entity = object> = abstract new (...args: never[]) => Entity;

/** The policy for an owner's files when TypeORM removes its entity. */
export type OwnerRemovalPolicy = 'keep' | 'restrict' | 'delete' | 'release';

/** The options for the owners of a class. */
export interface OwnsFilesOptions {
  /**
   * The policy for the files when TypeORM removes the entity: they stay as they are, prevent the removal, are deleted
   * with it, or lose their owner. Soft removal leaves them alone. @default 'keep'
   */
  readonly onDelete?: OwnerRemovalPolicy;
  /** The property that is the owner's id. @default 'id', else the only primary column */
  readonly idField?: string;
  /**
   * When rows of a class with `@FileField()` are checked: always, or only in units of work, where writes of the
   * application outside of them are trusted. @default 'always'
   */
  readonly guard?: 'always' | 'units';
}

const types = new WeakMap<EntityClass, string>();
const settings = new WeakMap<EntityClass, OwnsFilesOptions>();

/**
 * Declares that the entities of a class own files, as owners of this type.
 * @example \@Entity() \@OwnsFiles('package', { onDelete: 'delete' }) export class Package {}
 */
export function OwnsFiles<T extends OwnerTypeName>(
  ownerType: T,
  options: OwnsFilesOptions = {},
): (target: EntityClass<OwnerEntity<T>>) => void {
  assertOwnerReference({ type: ownerType, id: 'any' });
  return (target) => {
    const other = types.get(target);
    if (other !== undefined && other !== ownerType) {
      throw new DecorationInvalidError(
        '@OwnsFiles()',
        `class ${target.name}`,
        `it is the owner type "${other}" already.`,
      );
    }
    types.set(target, ownerType);
    settings.set(target, options);
  };
}

/** The owner type of an entity class, or of the nearest class it extends. */
export function ownerTypeOf(entityClass: EntityClass): string | undefined {
  return ownershipOf(entityClass)?.ownerType;
}

/** The options of `@OwnsFiles()` on an entity class, or on the nearest class that it extends. */
export function ownershipOf(entityClass: unknown): (OwnsFilesOptions & { readonly ownerType: string }) | undefined {
  for (let at = entityClass; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    const ownerType = types.get(at as EntityClass);
    if (ownerType !== undefined) return { ownerType, ...settings.get(at as EntityClass) };
  }
  return undefined;
}
