import { nestedClasses, rulesOf } from '../dto/dto-rules.js';
import { uploadFieldsOf } from './upload-rule.js';

/**
 * Makes of an empty text in a field with `@UploadAs()` what it says: no file. Forms cannot say null; so a field of one
 * file gets that, and lists do without the text.
 */
export function emptyFields(body: unknown, classes: readonly unknown[]): void {
  if (typeof body !== 'object' || body === null || classes.length === 0) return;
  if (Array.isArray(body)) {
    for (const item of body) emptyFields(item, classes);
    return;
  }
  const values = body as Record<string, unknown>;
  for (const { property, isList } of classes.flatMap(uploadFieldsOf)) {
    if (!Object.hasOwn(values, property)) continue;
    const value = values[property];
    if (Array.isArray(value)) values[property] = value.filter((item) => item !== '');
    else if (value === '') values[property] = isList ? [] : null;
  }
  const nested = new Set(classes.flatMap((one) => rulesOf(one).map(({ propertyName }) => propertyName)));
  for (const property of nested) {
    if (!Object.hasOwn(values, property)) continue;
    emptyFields(
      values[property],
      classes.flatMap((one) => nestedClasses(one, property)).filter((one) => typeof one === 'function'),
    );
  }
}
