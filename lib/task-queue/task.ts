/** The value of `prev` for the first task of a drain. */
export const NO_PREVIOUS_TASK: unique symbol = Symbol('NO_PREVIOUS_TASK');

/** `idx` counts from 0; `prev` is the result of the task before, NO_PREVIOUS_TASK for the first. */
export type TaskFunction<Result = never> = (result: Result, idx: number, prev: unknown) => unknown;

/** Work that is queued during a unit of work and runs once its result is known, before its commit. */
export abstract class Task {
  /** Does the work; an error rolls the unit of work back. */
  abstract run(result: unknown, idx: number, prev: unknown): unknown;

  /**
   * Reads a nested value; undefined where the path leads nowhere.
   * @example Task.extract({ resources: [{ id: 'r1' }] }, ['resources', 0, 'id']) // 'r1'
   */
  static extract(source: unknown, path: string | (string | number)[]): unknown {
    const steps = typeof path === 'string' ? path.split('.') : path;
    return steps.reduce<unknown>((value, step) => (hasOwn(value, step) ? value[step] : undefined), source);
  }
}

/** A task to queue: a function, or an object of a class that extends `Task`. */
export type TaskLike = TaskFunction | Task;

/** How errors and logs call a task. */
export function taskName(task: TaskLike): string {
  return (typeof task === 'function' ? task.name : task.constructor.name) || 'anonymous';
}

function hasOwn(value: unknown, key: string | number): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && key in value;
}
