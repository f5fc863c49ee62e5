import { DecorationInvalidError } from '../errors/setup.errors.js';
import { isMaxFiles } from '../ownership/validation-options.js';

/** Reads the `maxFiles` that `declaredBy` was given; throws where that makes no sense. */
export function readMaxFiles(maxFiles: number | undefined, declaredBy: string): number | undefined {
  if (maxFiles === undefined || isMaxFiles(maxFiles)) return maxFiles;
  const why = `maxFiles must be a whole number above 0, or Infinity, and is ${String(maxFiles)}.`;
  throw new DecorationInvalidError(declaredBy, 'a property', why);
}
