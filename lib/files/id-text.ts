/**
 * An id as it is stored and compared: ids of users are often numbers, and in the database they are texts. `undefined` for what is no id,
 * above all for a property that is not there: `String(undefined)` would be the same id for everybody.
 */
export function idText(id: unknown): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id;
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isFinite(id))) return String(id);
  if (typeof id !== 'object' || id === null || Array.isArray(id)) return undefined;
  // Ids of classes that have a text, like ObjectId.
  const { toString }: { toString?: () => string } = id;
  return toString === undefined || toString === Object.prototype.toString ? undefined : toString.call(id);
}
