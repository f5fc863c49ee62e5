import type { UnitQueue } from './unit-queue.js';

const calls = new WeakMap<UnitQueue, RouteCall>();

/** A unit that the interceptor opened for a handler, until the handler's wrapper takes it. */
export class RouteCall {
  #taken = false;
  #captured = false;
  #result: unknown;

  private constructor(
    readonly queue: UnitQueue,
    private readonly token: symbol,
  ) {}

  /** Expects the wrapper with this token to run in the queue's unit. */
  static expect(queue: UnitQueue, token: symbol): RouteCall {
    const call = new RouteCall(queue, token);
    calls.set(queue, call);
    return call;
  }

  /** The call that waits for the wrapper with this token, once: a handler that calls itself is nested. */
  static take(queue: UnitQueue | undefined, token: symbol): RouteCall | undefined {
    const call = queue && calls.get(queue);
    if (!call || call.token !== token || call.#taken) return undefined;
    call.#taken = true;
    return call;
  }

  capture<T>(result: T): T {
    this.#captured = true;
    this.#result = result;
    return result;
  }

  /** The handler's own result, or what came out of the interceptors where its wrapper did not run. */
  resultOr(emitted: unknown): unknown {
    return this.#captured ? this.#result : emitted;
  }
}
