import { inspect } from 'node:util';

/** Any value as a short text for a message, without running code of the value. */
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
