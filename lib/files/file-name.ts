import { FileNameInvalidError } from '../errors/files.errors.js';

const MAX_LENGTH = 255;
// Separators of paths, control characters, halves of characters, and marks that turn the reading direction: `gpj.exe`
// shown as `exe.jpg`.
const UNSAFE = /[/\\\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The name as it is kept: every script, in the normal form NFC, with `_` for each character that could be read as part
 * of a path or a command. `'a/b\n.txt'` → `'a_b_.txt'`. Throws `FileNameInvalidError` for no name and for more than 255
 * characters.
 */
export function cleanFileName(name: unknown): string {
  if (typeof name !== 'string') throw new FileNameInvalidError(name, 'it is not a text');
  // macOS separates letters from their accents, so people would not find the name by typing it.
  const clean = name.normalize('NFC').trim().replace(UNSAFE, '_');
  if (clean === '') throw new FileNameInvalidError(name, 'it is empty');
  if ([...clean].length > MAX_LENGTH)
    throw new FileNameInvalidError(name, `it is longer than ${MAX_LENGTH} characters`);
  return /^\.+$/.test(clean) ? clean.replaceAll('.', '_') : clean;
}
