const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether the value can be a file's id. PostgreSQL fails on anything that is not a UUID. */
export function isFileId(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** The id as it is stored, in lower case (SQLite compares case); `undefined` for what cannot be one. */
export function normalizeFileId(value: unknown): string | undefined {
  return isFileId(value) ? value.toLowerCase() : undefined;
}
