import { UploadMalformedError } from '../../errors/requests.errors.js';

const MAX_STEPS = 16;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const STEP = /^[^.[\]]+/;
const LATER = /^(?:\.([^.[\]]+)|\[([^[\]]*)\])/;

/**
 * The path into the body that the name of a form's field stands for: `resources[0][file]` and `resources.0.file` are
 * `['resources', '0', 'file']`, and `tags[]` is `['tags', '']`. Throws `UploadMalformedError` for other names.
 */
export function fieldPath(name: string): readonly string[] {
  const refuse = (why: string) => new UploadMalformedError(`the field ${quoted(name)} ${why}`);
  const [first] = STEP.exec(name) ?? [];
  if (first === undefined) throw refuse('has no name');
  const path = [first];
  for (let rest = name.slice(first.length); rest !== '';) {
    const [whole, dotted, bracketed = ''] = LATER.exec(rest) ?? [];
    if (whole === undefined) throw refuse('has a name that leads nowhere');
    path.push(dotted ?? bracketed);
    rest = rest.slice(whole.length);
    if (path.length > MAX_STEPS) throw refuse(`is nested deeper than ${MAX_STEPS} levels`);
  }
  if (path.slice(0, -1).includes('')) throw refuse('has an empty step before its last');
  if (path.some((step) => FORBIDDEN.has(step))) throw refuse('has a name that is not allowed');
  return path;
}

/** A field's name for messages. */
export function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
