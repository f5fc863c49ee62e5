import { OutOfQueueError } from '../../errors/out-of-queue.error.js';
import { currentQueue } from '../../task-queue/current-queue.js';
import { Task } from '../../task-queue/task.js';
import type { UnitQueue } from '../../task-queue/unit-queue.js';
import { letDetachedGo } from '../transfer-batch.js';
import type { DetachedField } from './detached-field.js';
import { DetachedFields } from './detached-fields.js';

/**
 * Notes the field, if there is one, and queues the task that will deal with it, once. It wants to be called before the transfers of a
 * DTO are queued, so that these are one batch.
 */
export function queueDetached(queue: UnitQueue, field: DetachedField | undefined): void {
  const fields = DetachedFields.of(queue.unit);
  if (field) fields.add(field);
  if (!queue.tasks().some((task) => task instanceof DetachedFieldsTask)) queue.add(new DetachedFieldsTask());
}

/** Lets the files go that the fields of the call do not hold any more, where no transfer has done it on its way. */
export class DetachedFieldsTask extends Task {
  async run(): Promise<void> {
    const queue = currentQueue();
    if (!queue) throw new OutOfQueueError(OutOfQueueError.remedy('A field was emptied'));
    await letDetachedGo([], queue);
  }
}
