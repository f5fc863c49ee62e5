import { TaskQueueMissingError } from '../errors/units.errors.js';
import { currentQueue } from './current-queue.js';
import type { TaskLike } from './task.js';

/** Queues a task in the current unit of work, from code without injection; throws TaskQueueMissingError outside of one. */
export function addTask(task: TaskLike): void {
  const queue = currentQueue();
  if (!queue) throw new TaskQueueMissingError();
  queue.add(task);
}
