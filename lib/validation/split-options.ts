import type { ValidationOptions } from 'class-validator';

/** Takes the validation options off the end of a decorator's list of texts. */
export function splitOptions(args: readonly (string | ValidationOptions)[]): [string[], ValidationOptions | undefined] {
  const texts = args.filter((arg) => typeof arg === 'string');
  return [texts, args.find((arg) => typeof arg !== 'string')];
}
