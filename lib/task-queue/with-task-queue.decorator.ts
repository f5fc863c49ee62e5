import { Inject, Optional, UseInterceptors } from '@nestjs/common';
import { isObservable, type Observable, tap } from 'rxjs';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { TaskQueueMissingError, TransactionNotJoinedError } from '../errors/units.errors.js';
import type { UnitOptions } from '../unit-of-work/unit-options.js';
import { GENERATOR, isGenerator, isSubscription } from './generators.js';
import { currentQueue } from './unit-queue.js';
import { RouteCall, TaskQueueInterceptor, type Decoration, WITH_TASK_QUEUE } from './task-queue.interceptor.js';
import { TaskQueue } from './task-queue.js';

const QUEUE = Symbol('nestjs-files:task-queue');
const NAME = '@WithTaskQueue()';

/** How the unit of work of a decorated method runs. */
export type WithTaskQueueOptions = Pick<UnitOptions, 'isolationLevel' | 'retry' | 'timeout'>;

type AsyncMethod = (...args: never[]) => Promise<unknown> | Observable<unknown> | unknown;

interface Decorated {
  readonly [QUEUE]?: TaskQueue;
}

/**
 * Runs each call of the method in a unit of work: a transaction and a task queue, which drains after the method's
 * result is known and before the commit. On a route it is open before the pipes run. Called directly, the method
 * returns a promise.
 * ```ts
 * @Patch(':id') @WithTaskQueue()
 * update(@Param('id') id: string, @Body() dto: UpdatePackageDto) { return this.packages.update(id, dto); }
 * ```
 */
export function WithTaskQueue(options: WithTaskQueueOptions = {}) {
  return <T extends AsyncMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => {
    const place = placeOf(target, key);
    const original = methodOf(target, place, descriptor);
    const named = { ...options, name: place };
    const decoration: Decoration = { options: named, token: Symbol(place), isGenerator: isGenerator(original) };

    const checked = (result: unknown): unknown => {
      if (isGenerator(result) && !isSubscription(withTaskQueue))
        throw new DecorationInvalidError(NAME, place, GENERATOR);
      return result;
    };

    function withTaskQueue(this: Decorated, ...args: unknown[]): unknown {
      const call = RouteCall.take(currentQueue(), decoration.token);
      if (call) return forRoute(call, () => original.apply(this, args as never[]), args, checked);
      const queue = this?.[QUEUE];
      if (!queue) {
        const why = `${place} was called on an object that Nest did not make, or without FilesModule,`;
        return Promise.reject(new TaskQueueMissingError(TaskQueueMissingError.remedy(why)));
      }
      if (queue.isHandedOtherTransaction(args)) return Promise.reject(new TransactionNotJoinedError(place));
      return queue.runQueued(async (unitQueue) => {
        unitQueue.args = args;
        const result = checked(await original.apply(this, args as never[]));
        if (isObservable(result)) throw new DecorationInvalidError(NAME, place, OBSERVABLE);
        await unitQueue.drain(result);
        return result;
      }, named);
    }

    takeAfter(withTaskQueue, original);
    Reflect.defineMetadata(WITH_TASK_QUEUE, decoration, withTaskQueue);
    descriptor.value = withTaskQueue as unknown as T;
    UseInterceptors(TaskQueueInterceptor)(target, key, descriptor);
    Inject(TaskQueue)(target, QUEUE);
    Optional()(target, QUEUE);
  };
}

/** Runs the decorated methods of the object in units of the queue, as if Nest had made it; gives the object. */
export function servedBy<T extends object>(queue: TaskQueue, object: T): T {
  return Object.assign(object, { [QUEUE]: queue });
}

const OBSERVABLE =
  'it returned an Observable to a direct caller, which would read it after the commit. Return a promise of its values.';

// The interceptor drains. The wrapper keeps the arguments, the raw result and the failure, which inner interceptors may
// replace.
async function forRoute(
  call: RouteCall,
  run: () => unknown,
  args: readonly unknown[],
  checked: (result: unknown) => unknown,
): Promise<unknown> {
  call.begin(args);
  try {
    const result = checked(await run());
    if (!isObservable(result)) return call.capture(result);
    return result.pipe(
      tap({
        next: (value) => call.capture(value),
        error: (error) => call.fail(error),
        complete: () => call.succeed(),
      }),
    );
  } catch (error) {
    call.fail(error);
    throw error;
  }
}

function placeOf(target: object, key: string | symbol | undefined): string {
  const name = typeof target === 'function' ? target.name : target.constructor.name;
  return key === undefined ? `class ${name}` : `${name}.${String(key)}`;
}

function methodOf(
  target: object,
  place: string,
  descriptor: PropertyDescriptor | undefined,
): (...args: never[]) => unknown {
  if (typeof target === 'function') {
    throw new DecorationInvalidError(NAME, place, 'it goes on instance methods, not on classes or static methods.');
  }
  if (typeof descriptor?.value !== 'function') {
    throw new DecorationInvalidError(
      NAME,
      place,
      'it goes on methods, not on properties. Make the arrow function a method.',
    );
  }
  return descriptor.value as (...args: never[]) => unknown;
}

// Nest finds a handler's decorators, name and parameters on the function it is given.
function takeAfter(wrapper: object, original: object): void {
  for (const key of Reflect.getMetadataKeys(original) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
  }
  const { prototype: _, ...own } = Object.getOwnPropertyDescriptors(original as () => void);
  Object.defineProperties(wrapper, own);
}
