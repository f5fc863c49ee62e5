import { InterruptedError } from './command.js';

/**
 * Runs `work` on all of the items at once. If it fails, on each half of them, and so on, until it is known which item
 * is the reason: `failed` is called for that one. What was done stays. After Ctrl-C it ends.
 */
export async function inHalves<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
  failed: (item: T, error: unknown) => Promise<void>,
): Promise<void> {
  if (items.length === 0) return;
  try {
    await work(items);
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    if (items.length === 1) return failed(items[0] as T, error);
    const half = Math.ceil(items.length / 2);
    await inHalves(items.slice(0, half), work, failed);
    await inHalves(items.slice(half), work, failed);
  }
}
