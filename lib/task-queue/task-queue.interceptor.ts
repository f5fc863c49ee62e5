import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor, Optional } from '@nestjs/common';
import { Observable } from 'rxjs';
import { TaskQueueMissingError } from '../errors/units.errors.js';
import { Abandonment } from './abandonment.js';
import { CallPreparation, type PreparedCall } from './call-preparation.js';
import { isClientGone } from './client-connection.js';
import { decorationOf } from './decoration.js';
import { RouteCall } from './route-call.js';
import { TaskQueue } from './task-queue.js';

/**
 * Opens the unit of work of a decorated handler before its pipes run, drains its queue after the handler, and lets nothing
 * out before the commit.
 */
@Injectable()
export class TaskQueueInterceptor implements NestInterceptor {
  // Optional, because Nest resolves it for decorated providers too, which tests may build without FilesModule.
  constructor(
    @Optional() private readonly taskQueue?: TaskQueue,
    @Optional() private readonly preparation?: CallPreparation,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { taskQueue } = this;
    const decoration = decorationOf(context.getHandler());
    if (!decoration) return next.handle();
    if (!taskQueue) {
      const place = `${context.getClass().name}.${context.getHandler().name}`;
      throw new TaskQueueMissingError(
        `@WithTaskQueue() on ${place} needs FilesModule: import FilesModule.forRoot() in the root module.`,
      );
    }
    return new Observable((subscriber) => {
      const abandonment = new Abandonment();
      let settled = false;
      const run = (prepared?: PreparedCall): Promise<unknown[]> =>
        taskQueue.runQueued(async (queue) => {
          abandonment.throwIfAbandoned();
          abandonment.whenAbandoned((reason) => queue.unit.abandon(reason));
          queue.context = context;
          const call = RouteCall.expect(queue, decoration.token);
          const values = await collect(next, abandonment);
          await queue.drain(call.resultOr(values.at(-1)));
          prepared?.beforeCommit();
          return values;
        }, decoration.options);
      this.#prepared(context, abandonment, run).then(
        (values) => {
          settled = true;
          for (const value of values) subscriber.next(value);
          subscriber.complete();
        },
        (error: unknown) => {
          settled = true;
          subscriber.error(error);
        },
      );
      return () => {
        // A client that went away tears down too, but its work is done as a whole; whoever gives up on it wants it undone.
        if (settled || isClientGone(context)) return;
        abandonment.abandon(new Error('An outer interceptor gave up on the handler'));
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

/** All values that the handler emits; `handle()` has to be called where the pipes are to run. */
function collect(next: CallHandler<unknown>, abandonment: Abandonment): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const values: unknown[] = [];
    const subscription = next.handle().subscribe({
      next: (value) => values.push(value),
      error: reject,
      complete: () => resolve(values),
    });
    abandonment.whenAbandoned(() => subscription.unsubscribe());
  });
}
