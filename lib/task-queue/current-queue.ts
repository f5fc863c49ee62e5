import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { UnitQueue } from './unit-queue.js';

const QUEUE = Symbol('nestjs-files:queue');

/** Opens a queue for the unit of work. */
export function openQueue(unit: UnitOfWork): UnitQueue {
  return unit.slot(QUEUE, () => new UnitQueue(unit));
}

/** The queue of the unit, or of the nearest unit around it that has one. */
export function queueOf(unit: UnitOfWork | undefined): UnitQueue | undefined {
  for (let at = unit; at; at = at.parent) {
    const queue = at.peek<UnitQueue>(QUEUE);
    if (queue) return queue;
  }
  return undefined;
}

/** The queue that tasks queued in this flow go to; undefined outside of a unit of work. */
export function currentQueue(): UnitQueue | undefined {
  return queueOf(currentUnit());
}
