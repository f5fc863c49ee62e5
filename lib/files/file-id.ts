const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether the value can be the id of a file: PostgreSQL answers anything but a UUID with an error of its own. */
export function isFileId(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** The id as it is stored, in lower case (SQLite compares case); `undefined` for what cannot be one. */
export function normalizeFileId(value: unknown): string | undefined {
  return isFileId(value) ? value.toLowerCase() : undefined;
}
