import { inspect } from 'node:util';

/** Any value as a few words for a message; code that the value brings along is not run. */
export function show(value: unknown): string {
  const text = inspect(value, {
    depth: 0,
    customInspect: false,
    getters: false,
    maxStringLength: 60,
    maxArrayLength: 3,
  });
  return text.replaceAll(/\s+/gu, ' ').slice(0, 100);
}
