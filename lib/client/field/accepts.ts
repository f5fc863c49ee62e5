/** Whether a file fits an `accept` attribute, as the picker of the browser understands it: `image/*,.pdf,text/csv`. */
export function accepts(accept: string | null, { name, type }: { name: string; type: string }): boolean {
  const patterns = (accept ?? '')
    .toLowerCase()
    .split(',')
    .map((pattern) => pattern.trim())
    .filter(Boolean);
  const [ending, kind] = [name.toLowerCase(), type.toLowerCase()];
  return (
    patterns.length === 0 ||
    patterns.some((pattern) => {
      if (pattern.startsWith('.')) return ending.endsWith(pattern);
      return pattern.endsWith('/*') ? kind.startsWith(pattern.slice(0, -1)) : kind === pattern;
    })
  );
}
