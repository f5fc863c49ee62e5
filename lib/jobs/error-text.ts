const MAX_ERROR = 1_024;

/**
 * The error as a column takes it. PostgreSQL refuses NUL. `slice` may cut a surrogate pair in two, and half a pair
 * cannot be encoded: `Buffer` replaces it.
 */
export function errorText(text: string | null): string | null {
  return text && Buffer.from(text.replaceAll('\0', '').slice(0, MAX_ERROR)).toString();
}
