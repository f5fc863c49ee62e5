import { Type } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';

type DtoClass = abstract new (...args: never[]) => unknown;
type Rule = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

interface TypeMetadata {
  typeFunction?: () => unknown;
  options?: { discriminator?: { subTypes: { value: unknown }[] } };
}

/** By class and property. */
type TypeMetadatas = ReadonlyMap<unknown, ReadonlyMap<string, TypeMetadata>>;

const NESTED = 'nestedValidation';

/** The class-validator rules of a class and its superclasses; empty for anything that is not a class. */
export function rulesOf(dtoClass: unknown): readonly Rule[] {
  return typeof dtoClass === 'function'
    ? getMetadataStorage().getTargetValidationMetadatas(dtoClass, '', false, false)
    : [];
}

/** The classes that a property with `@ValidateNested()` may be validated as; none for other properties. */
export function nestedClasses(dtoClass: unknown, property: string): readonly unknown[] {
  const isNested = rulesOf(dtoClass).some(({ type, propertyName }) => type === NESTED && propertyName === property);
  return isNested ? classesOf(dtoClass as DtoClass, property) : [];
}

/** Whether `has` answers true for one of the rules of the class, or of a class that its properties are validated as. */
export function carriesRule(dtoClass: unknown, has: (rule: Rule) => boolean, visited = new Set<unknown>()): boolean {
  if (typeof dtoClass !== 'function' || visited.has(dtoClass)) return false;
  visited.add(dtoClass);
  const rules = rulesOf(dtoClass);
  if (rules.some(has)) return true;
  const nested = rules.filter(({ type }) => type === NESTED).map(({ propertyName }) => propertyName);
  return [...new Set(nested)].some((property) =>
    classesOf(dtoClass as DtoClass, property).some((inner) => carriesRule(inner, has, visited)),
  );
}

/** A property that holds objects of a class, or is validated as if it did. */
export interface NestedProperty {
  readonly property: string;
  /** Whether it has `@ValidateNested()`. */
  readonly isNested: boolean;
  /** Whether `@Type()` names its class. */
  readonly isTyped: boolean;
  readonly isList: boolean;
  readonly types: readonly unknown[];
}

/** The properties of the class with `@ValidateNested()` or `@Type()`. */
export function nestedProperties(dtoClass: unknown): NestedProperty[] {
  const rules = rulesOf(dtoClass);
  const properties = new Set(rules.filter(({ type }) => type === NESTED).map(({ propertyName }) => propertyName));
  const nested = new Set(properties);
  for (const property of typedProperties(dtoClass)) properties.add(property);
  return [...properties].map((property) => {
    const designType: unknown = Reflect.getMetadata(
      'design:type',
      (dtoClass as DtoClass).prototype as object,
      property,
    );
    const type = typeMetadataOf(dtoClass, property);
    return {
      property,
      isNested: nested.has(property),
      isTyped: declaredType(type) !== undefined,
      isList: designType === Array,
      types: classesOf(dtoClass as DtoClass, property).filter((one) => typeof one === 'function' && one !== Array),
    };
  });
}

/** The properties with `@Type()` of the class and those it extends. */
function typedProperties(dtoClass: unknown): string[] {
  const typed: string[] = [];
  for (let at = dtoClass; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    typed.push(...(typeMetadatas().get(at)?.keys() ?? []));
  }
  return typed;
}

function classesOf(dtoClass: DtoClass, property: string): unknown[] {
  const designType: unknown = Reflect.getMetadata('design:type', dtoClass.prototype as object, property);
  const type = typeMetadataOf(dtoClass, property);
  return [designType, declaredType(type), ...(type?.options?.discriminator?.subTypes ?? []).map(({ value }) => value)];
}

function declaredType(type: TypeMetadata | undefined): unknown {
  try {
    return type?.typeFunction?.();
  } catch {
    // A type function may need the validated object, which is not available here.
    return undefined;
  }
}

/** The type that `@Type()` gives the property of the class, or of the nearest class that it extends. */
function typeMetadataOf(dtoClass: unknown, property: string): TypeMetadata | undefined {
  for (let at = dtoClass; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    const found = typeMetadatas().get(at)?.get(property);
    if (found) return found;
  }
  return undefined;
}

let known: TypeMetadatas | undefined;

/**
 * class-transformer does not export its storage, and importing its file would give a second copy in a bundled
 * application. So `@Type()` itself is called to find out where it stores its metadata.
 */
function typeMetadatas(): TypeMetadatas {
  if (known) return known;
  class Asked {}
  const { set } = Map.prototype;
  Map.prototype.set = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
    if (key === Asked) known = this as TypeMetadatas;
    return set.call(this, key, value);
  };
  try {
    Type(() => Asked)(Asked.prototype, 'asked');
  } finally {
    Map.prototype.set = set;
  }
  if (!known)
    throw new Error('class-transformer does not keep what @Type() says in a Map: this version of it is not supported.');
  return known;
}
