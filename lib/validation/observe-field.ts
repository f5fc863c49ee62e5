import { getMetadataStorage, ValidateIf } from 'class-validator';
import type { ValidationOptions } from 'class-validator';

type DtoClass = abstract new (...args: never[]) => object;
type Condition = (dto: object, value: unknown) => boolean;

const CONDITIONAL = 'conditionalValidation';

/** Sees every value of a field, also those that no constraint gets to see. */
export interface FieldObserver {
  readonly decorate: PropertyDecorator;
  /** Whether the class, or what it was made of, still has the observer: a condition that is declared anew replaces those that are inherited. */
  isOn(dtoClass: unknown, property: string): boolean;
}

/**
 * Under `@IsOptional()` and in mapped types `null` never gets to a constraint, but class-validator asks all conditions of a field, so
 * this is one that holds whenever the others do.
 */
export function observeField(
  see: (dto: object, value: unknown, property: string) => void,
  { groups = [], always }: ValidationOptions,
): FieldObserver {
  const observers = new Set<Condition>();
  return {
    decorate: (target, key) => {
      const property = String(key);
      let inherited: Condition[] | undefined;
      const observer: Condition = (dto, value) => {
        see(dto, value, property);
        inherited ??= displaced(target.constructor as DtoClass, property);
        return inherited.map((condition) => condition(dto, value)).every(Boolean);
      };
      observers.add(observer);
      ValidateIf(observer, { groups, ...(always !== undefined && { always }) })(target, property);
    },
    isOn: (dtoClass, property) => conditionsOf(dtoClass as DtoClass, property).some((one) => observers.has(one)),
  };
}

/** The conditions of the base class that apply where a class declares none of its own, and would not any more, because of the observer. */
function displaced(dtoClass: DtoClass, property: string): Condition[] {
  if (conditionsOf(dtoClass, property).length > 1) return [];
  const base: unknown = Object.getPrototypeOf(dtoClass);
  return typeof base === 'function' && base !== Function.prototype ? conditionsOf(base as DtoClass, property) : [];
}

function conditionsOf(dtoClass: DtoClass, property: string): Condition[] {
  return getMetadataStorage()
    .getTargetValidationMetadatas(dtoClass, '', false, false)
    .filter(({ propertyName, type }) => propertyName === property && type === CONDITIONAL)
    .map(({ constraints }) => (constraints as unknown[])[0] as Condition);
}
