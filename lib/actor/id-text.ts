/**
 * An id as it is stored and compared: as text, because users' ids are often numbers. `undefined` if the value is not an id. That matters most
 * for a missing property: `String(undefined)` would give everybody the same id.
 */
export function idText(id: unknown): string | undefined {
  if (typeof id === 'string') return id === '' ? undefined : id;
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isFinite(id))) return String(id);
  if (typeof id !== 'object' || id === null || Array.isArray(id)) return undefined;
  // Ids of classes that have a text, like ObjectId.
  const { toString }: { toString?: () => string } = id;
  return toString === undefined || toString === Object.prototype.toString ? undefined : toString.call(id);
}
