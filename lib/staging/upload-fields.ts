import { carriesRule, nestedClasses, rulesOf } from '../dto/dto-rules.js';
import { UPLOAD_AS, uploadFieldsOf } from './upload-rule.js';
import type { UploadField } from './upload-rule.js';

const PLACE = /^\d+$/;

/** Whether the class, or a class that its properties are validated as, has a field with `@UploadAs()`. */
export function carriesUploads(dtoClass: unknown): boolean {
  return carriesRule(dtoClass, ({ name }) => name === UPLOAD_AS);
}

/** All fields with `@UploadAs()` of the class and of the classes that its properties are validated as. */
export function allUploadFields(dtoClass: unknown, visited = new Set<unknown>()): UploadField[] {
  if (typeof dtoClass !== 'function' || visited.has(dtoClass)) return [];
  visited.add(dtoClass);
  const properties = new Set(rulesOf(dtoClass).map(({ propertyName }) => propertyName));
  const nested = [...properties].flatMap((property) => nestedClasses(dtoClass, property));
  return [...uploadFieldsOf(dtoClass), ...nested.flatMap((inner) => allUploadFields(inner, visited))];
}

/**
 * The field that a path of the body leads to in one of the classes, if files may be there. Places of lists are numbers.
 */
export function uploadFieldAt(classes: readonly unknown[], path: readonly string[]): UploadField | undefined {
  const [property, ...rest] = path;
  if (property === undefined) return undefined;
  for (const dtoClass of classes) {
    const field = uploadFieldsOf(dtoClass).find((one) => one.property === property);
    const isPlace = rest.length === 1 && PLACE.test(rest[0] ?? '');
    if (field && (rest.length === 0 || (field.isList && isPlace))) return field;
  }
  const inner = classes.flatMap((dtoClass) => nestedClasses(dtoClass, property));
  if (inner.length === 0) return undefined;
  return uploadFieldAt(inner, PLACE.test(rest[0] ?? '') ? rest.slice(1) : rest);
}

/**
 * The fields that share one name in a form: several if a value may be validated as one of several classes, or if a
 * subclass redeclares the field.
 */
export function fieldsByName(classes: readonly unknown[], visited = new Set<string>()): UploadField[][] {
  const several = [...new Set(classes.filter((one) => typeof one === 'function'))];
  const key = several
    .map(numberOf)
    .toSorted((one, other) => one - other)
    .join();
  if (several.length === 0 || visited.has(key)) return [];
  visited.add(key);
  const fields = several.flatMap(uploadFieldsOf);
  const names = new Set(fields.map(({ property }) => property));
  const properties = new Set(several.flatMap((one) => rulesOf(one).map(({ propertyName }) => propertyName)));
  const nested = [...properties].flatMap((property) =>
    fieldsByName(
      several.flatMap((one) => nestedClasses(one, property)),
      visited,
    ),
  );
  return [...[...names].map((name) => fields.filter(({ property }) => property === name)), ...nested];
}

const numbers = new WeakMap<object, number>();
let count = 0;

function numberOf(dtoClass: object): number {
  const number = numbers.get(dtoClass) ?? count++;
  numbers.set(dtoClass, number);
  return number;
}
