import { onTestFinished, vi } from 'vitest';

/** A time that only the timers have that a test holds. */
export const HELD = 54_321;

/**
 * Holds all timers of so many milliseconds, and signals of `AbortSignal.timeout()`, until the returned function lets
 * the time pass. A deadline then comes where the test wants it, however busy the machine is.
 */
export function holdTimers(milliseconds = HELD): () => void {
  const held = new Map<unknown, () => void>();
  const { setTimeout: begin, clearTimeout: end } = globalThis;
  const beginHeld = (run: (...args: unknown[]) => void, time?: number, ...args: unknown[]): NodeJS.Timeout => {
    const timer = begin(run, time, ...args);
    if (time === milliseconds) held.set(timer, () => run(...args));
    return timer;
  };
  const endHeld: typeof end = (timer) => {
    held.delete(timer);
    end(timer);
  };
  const signalAfter = AbortSignal.timeout.bind(AbortSignal);
  const signals = vi.spyOn(AbortSignal, 'timeout').mockImplementation((time) => {
    if (time !== milliseconds) return signalAfter(time);
    const ending = new AbortController();
    held.set(ending, () => ending.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')));
    return ending.signal;
  });
  Object.assign(globalThis, { setTimeout: Object.assign(beginHeld, begin), clearTimeout: endHeld });
  onTestFinished(() => {
    Object.assign(globalThis, { setTimeout: begin, clearTimeout: end });
    signals.mockRestore();
  });
  return () => {
    for (const [timer, pass] of held) {
      endHeld(timer as NodeJS.Timeout);
      pass();
    }
  };
}

/** Lets half a second pass on the clock of `performance.now()` whenever somebody looks at it, once it is time. */
export function hurryClock(isTime: () => boolean): void {
  const now = performance.now.bind(performance);
  let ahead = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + (isTime() ? (ahead += 500) : ahead));
  onTestFinished(() => {
    clock.mockRestore();
  });
}
