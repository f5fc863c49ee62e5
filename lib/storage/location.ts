import { LocationInvalidError } from '../errors/storage.errors.js';

const MAX_LENGTH = 1024;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;

/**
 * Throws `LocationInvalidError` unless the location is a relative path of plain segments: `ab/cd.pdf` is, `../x`, `/x`,
 * `a//b` and `a/./b` are not. The rule is the same for every storage, so a location may move to another one.
 */
export function assertLocation(location: string): void {
  if (location === '') throw new LocationInvalidError(location, 'it is empty');
  if (location.length > MAX_LENGTH)
    throw new LocationInvalidError(location, `it is longer than ${MAX_LENGTH} characters`);
  if (CONTROL.test(location)) throw new LocationInvalidError(location, 'it has control characters');
  if (location.includes('\\'))
    throw new LocationInvalidError(location, 'it has a backslash, a separator on some systems');
  if (location.split('/').some((segment) => ['', '.', '..'].includes(segment))) {
    throw new LocationInvalidError(location, 'it must be a relative path without empty, "." and ".." segments');
  }
}
