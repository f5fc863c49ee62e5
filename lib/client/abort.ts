/** Calls `stop` when the signal aborts. Returns what ends that. */
export function onAbort(signal: AbortSignal | undefined, stop: () => void): () => void {
  signal?.addEventListener('abort', stop);
  return () => signal?.removeEventListener('abort', stop);
}
