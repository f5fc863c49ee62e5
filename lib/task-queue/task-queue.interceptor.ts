import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
  Optional,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { reasonOf } from '../errors/reason-of.js';
import { stackOf } from '../errors/stack-of.js';
import { TaskQueueMissingError, UnitAbortedError } from '../errors/units.errors.js';
import type { UnitOptions } from '../unit-of-work/unit-options.js';
import { Abandonment, CallPreparation, type PreparedCall } from './call-preparation.js';
import { EventHandlers } from './event-handlers.js';
import { TaskQueue } from './task-queue.js';
import type { UnitQueue } from './unit-queue.js';

/**
 * Opens the unit of work of a decorated handler before its pipes run, drains its queue after the handler, and emits
 * nothing before the commit.
 */
@Injectable()
export class TaskQueueInterceptor implements NestInterceptor {
  readonly #logger = new Logger('WithTaskQueue');

  // Optional, because Nest resolves it for decorated providers too, which tests may build without FilesModule.
  constructor(
    @Optional() private readonly taskQueue?: TaskQueue,
    @Optional() private readonly preparation?: CallPreparation,
    @Optional() private readonly events?: EventHandlers,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { taskQueue } = this;
    const decoration = decorationOf(context.getHandler());
    if (!decoration) return next.handle();
    if (!taskQueue) {
      throw new TaskQueueMissingError(
        `@WithTaskQueue() on ${placeOf(context)} needs FilesModule: import FilesModule.forRoot() in the root module.`,
      );
    }
    return new Observable((subscriber) => {
      const abandonment = new Abandonment();
      let settled = false;
      let isLeft = false;
      const run = (prepared?: PreparedCall): Promise<unknown[]> =>
        taskQueue.runQueued(async (queue) => {
          abandonment.throwIfAbandoned();
          abandonment.whenAbandoned((reason) => queue.unit.abandon(reason));
          queue.context = context;
          const call = RouteCall.expect(queue, decoration.token);
          const values = await collect(next, abandonment);
          call.assertSucceeded(values);
          await queue.drain(call.resultOr(values.at(-1)));
          abandonment.throwIfAbandoned();
          prepared?.beforeCommit();
          return values;
        }, decoration.options);
      const answer = (values: readonly unknown[]): void => {
        settled = true;
        for (const value of values) subscriber.next(value);
        subscriber.complete();
      };
      this.#prepared(context, abandonment, run).then(answer, (error: unknown) => {
        settled = true;
        if (error instanceof AnsweredInstead) {
          const why = error.cause === undefined ? 'it was not done' : reasonOf(error.cause);
          this.#logger.warn(`${placeOf(context)} was rolled back, and an interceptor answered in its place: ${why}`);
          answer(error.values);
        } else if (isLeft) this.#logger.error(`${placeOf(context)} has failed: ${reasonOf(error)}`, stackOf(error));
        else subscriber.error(error);
      });
      return () => {
        // A lost client unsubscribes, too, but its work is completed. An interceptor that gives up wants the work
        // undone.
        if (settled || isClientGone(context)) return;
        isLeft = this.events?.isShared(context.getHandler()) === true;
        if (isLeft) this.#logger.warn(`${placeOf(context)} goes on, although ${LEFT}`);
        else abandonment.abandon(new Error('An outer interceptor gave up on the handler'));
      };
    });
  }

  #prepared<T>(
    context: ExecutionContext,
    abandonment: Abandonment,
    run: (prepared?: PreparedCall) => Promise<T>,
  ): Promise<T> {
    const preparing = this.preparation?.prepare(context, abandonment);
    if (!preparing) return run();
    return preparing.then(async (prepared) => {
      try {
        return await run(prepared);
      } finally {
        await prepared.end();
      }
    });
  }
}

const LEFT =
  'nobody waits for it any longer: another handler of its event has failed or has emitted nothing, or an interceptor has given up.';

function placeOf(context: ExecutionContext): string {
  return `${context.getClass().name}.${context.getHandler().name}`;
}

/** All values that the handler emits. `handle()` has to be called at the time at which the pipes are to run. */
function collect(next: CallHandler<unknown>, abandonment: Abandonment): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const values: unknown[] = [];
    const subscription = next.handle().subscribe({
      next: (value) => values.push(value),
      error: reject,
      complete: () => resolve(values),
    });
    // Only a root unit ends by itself when it is abandoned.
    abandonment.whenAbandoned((reason) => {
      subscription.unsubscribe();
      reject(reason);
    });
  });
}

/** Metadata key of a decorated method. */
export const WITH_TASK_QUEUE = 'nestjs-files:with-task-queue';

/** The metadata that `@WithTaskQueue()` sets on the method; the token links its wrapper and its interceptor. */
export interface Decoration {
  readonly options: Pick<UnitOptions, 'isolationLevel' | 'name' | 'retry' | 'timeout'>;
  readonly token: symbol;
  /** Whether the method is a generator. */
  readonly isGenerator: boolean;
}

/** The decoration of a handler, also where another decorator wrapped it and copied its metadata. */
export function decorationOf(handler: object): Decoration | undefined {
  return Reflect.getMetadata(WITH_TASK_QUEUE, handler) as Decoration | undefined;
}

const CALL = Symbol('nestjs-files:route-call');

/** An interceptor inside of the unit answered in place of a handler that did not succeed: only the answer is kept. */
class AnsweredInstead extends UnitAbortedError {
  constructor(
    readonly values: readonly unknown[],
    cause: unknown,
  ) {
    super('its handler did not succeed, and an interceptor answered in its place', cause);
  }
}

/** A unit that the interceptor opened for a handler, and what became of the handler in it. */
export class RouteCall {
  #state: 'waiting' | 'running' | 'failed' | 'done' = 'waiting';
  #isRepeated = false;
  #captured = false;
  #result: unknown;
  #error: unknown;

  private constructor(
    readonly queue: UnitQueue,
    private readonly token: symbol,
  ) {}

  /** Expects the wrapper with this token to run in the queue's unit. */
  static expect(queue: UnitQueue, token: symbol): RouteCall {
    return queue.unit.slot(CALL, () => new RouteCall(queue, token));
  }

  /** The call that waits for the wrapper with this token, once: a handler that calls itself is nested. */
  static take(queue: UnitQueue | undefined, token: symbol): RouteCall | undefined {
    const call = queue?.unit.peek<RouteCall>(CALL);
    if (!call || call.token !== token) return undefined;
    if (call.#state === 'waiting' || call.#state === 'failed') return call;
    call.#isRepeated = true;
    return undefined;
  }

  /** The handler begins. Throws if it has failed in this unit before: what it had done then would be saved, too. */
  begin(args: readonly unknown[]): void {
    if (this.#state === 'failed') {
      this.#isRepeated = true;
      throw this.#repeated();
    }
    this.#state = 'running';
    this.queue.args = args;
  }

  capture<T>(result: T): T {
    this.#captured = true;
    this.#result = result;
    this.succeed();
    return result;
  }

  /** The handler has come to its end, or has emitted a value. */
  succeed(): void {
    this.#state = 'done';
  }

  fail(error: unknown): void {
    this.#state = 'failed';
    this.#error = error;
  }

  /** Throws if the handler ran and has not succeeded, whatever interceptors inside of the unit made of that. */
  assertSucceeded(values: readonly unknown[]): void {
    if (this.#state === 'waiting' || this.#state === 'done') return;
    throw this.#isRepeated ? this.#repeated() : new AnsweredInstead(values, this.#error);
  }

  /** The handler's own result, or the result of the interceptors if the handler's wrapper did not run. */
  resultOr(emitted: unknown): unknown {
    return this.#captured ? this.#result : emitted;
  }

  #repeated(): UnitAbortedError {
    return new UnitAbortedError(
      `an interceptor inside of it called ${this.token.description} again, which had not succeeded. Set \`retry\` of ` +
        '@WithTaskQueue(), or put @UseInterceptors() below it, so that each attempt is a unit of its own',
      this.#error,
    );
  }
}

interface HttpRequest {
  readonly raw?: HttpRequest;
  readonly socket?: { readonly destroyed?: boolean };
}

interface SocketClient {
  /** ws: https://developer.mozilla.org/docs/Web/API/WebSocket/readyState */
  readonly readyState?: number;
  /** socket.io */
  readonly connected?: boolean;
}

const OPEN = 1;

/** Whether the connection that the call came in through is closed; false where that cannot be seen. */
export function isClientGone(context: ExecutionContext): boolean {
  switch (context.getType<string>()) {
    case 'http':
      return isHttpClosed(context.switchToHttp().getRequest());
    case 'graphql':
      return isHttpClosed(context.getArgByIndex<{ req?: HttpRequest } | undefined>(2)?.req);
    case 'rpc':
      // gRPC: https://grpc.github.io/grpc/node/grpc-ServerUnaryCall.html
      return context.getArgByIndex<{ cancelled?: boolean } | undefined>(2)?.cancelled === true;
    case 'ws': {
      const { readyState, connected } = context.switchToWs().getClient<SocketClient>();
      return connected === false || (readyState !== undefined && readyState !== OPEN);
    }
    default:
      return false;
  }
}

function isHttpClosed(request: HttpRequest | undefined): boolean {
  return (request?.raw ?? request)?.socket?.destroyed === true;
}
