import { onAbort } from './abort.js';
import { UploadError } from './upload-error.js';
import type { UploadOptions } from './upload-options.js';

/**
 * Runs a request, again and again, with growing pauses, as long as it fails in a way that has changed nothing.
 * `isRepeatable`: the request may be repeated even if nobody knows what the last one did, because a second one does
 * nothing more.
 */
export async function attempt<T>(
  { retries = 5, signal }: Pick<UploadOptions, 'retries' | 'signal'>,
  request: () => Promise<T>,
  isRepeatable = true,
): Promise<T> {
  for (let count = 0; ; count++) {
    signal?.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      signal?.throwIfAborted();
      if (count >= retries || !(error instanceof UploadError) || !mayRepeat(error, isRepeatable)) throw error;
      await pause(error.after ?? pauseAfter(count) * (0.5 + Math.random()), signal);
    }
  }
}

function mayRepeat({ status, isSafe }: UploadError, isRepeatable: boolean): boolean {
  return isSafe || (isRepeatable && (status === 0 || status >= 500));
}

/** How long to wait after so many failures, in milliseconds. */
export function pauseAfter(failures: number): number {
  return Math.min(30_000, 500 * 2 ** failures);
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  let forget = (): void => undefined;
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    forget = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    });
  }).finally(() => forget());
}
