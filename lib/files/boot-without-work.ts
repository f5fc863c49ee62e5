import { AsyncLocalStorage } from 'node:async_hooks';

const withoutWork = new AsyncLocalStorage<true>();

/** Boots an application that does no work by itself: it only queues jobs, and its sweeper has no timer. */
export function bootWithoutWork<T>(boot: () => T): T {
  return withoutWork.run(true, boot);
}

/** Whether the application is booted so. */
export function isWithoutWork(): boolean {
  return withoutWork.getStore() === true;
}
