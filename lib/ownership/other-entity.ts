import { getMetadataArgsStorage } from 'typeorm';
import { ownershipOf } from './owns-files.decorator.js';

/**
 * The name of the object's entity class, if entities of that class are not owners of this type: another class has it, as `ownerTypes` tells, or
 * the class has another type. Undefined for plain objects.
 */
export function otherEntity(object: object, ownerType: string, ownerTypes: ReadonlySet<string>): string | undefined {
  const entityClass = object.constructor as new (...args: never[]) => object;
  if (entityClass === Object || !isEntityClass(entityClass)) return undefined;
  const declared = ownershipOf(entityClass)?.ownerType;
  if (declared === ownerType) return undefined;
  return declared !== undefined || ownerTypes.has(ownerType) ? entityClass.name : undefined;
}

const known = new WeakMap<object, boolean>();

function isEntityClass(candidate: object): boolean {
  let isEntity = known.get(candidate);
  if (isEntity === undefined) {
    isEntity = getMetadataArgsStorage().tables.some(({ target }) => target === candidate);
    known.set(candidate, isEntity);
  }
  return isEntity;
}
