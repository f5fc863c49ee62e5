/** The items in order, at most `size` at a time: databases limit the parameters of a statement. */
export function* inChunks<T>(items: readonly T[], size: number): Generator<T[], void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
