import { carriesRule, nestedClasses, rulesOf } from '../task-queue/nested-classes.js';
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

/** The field that a path of the body leads to in one of the classes, if files may be there. Places of lists are numbers. */
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
