import type { OwnerReference } from '../files/owner-reference.js';
import type { OwnerTypeName } from '../files/owner-type-name.js';
import { currentQueue, BatchTask, type TaskBatch } from '../task-queue/unit-queue.js';
import { TaskQueueMissingError } from '../errors/units.errors.js';
import { StatedTarget } from './stated-target.js';
import type { TransferStrategy } from './stated-target.js';
import { lockTransfers, runTransfers } from './transfer-batch.js';
import type { TransferTarget } from './transfer-target.js';

/**
 * Transfers a file to an entity of the result and pins it there, without force: a pinned file is refused, unless it is the owner's
 * already. `'path'` reads the owner's id from the result, `'value'` takes the destination as the id. Adjacent transfers are one batch.
 * @example queue.add(new OwnershipTransferTask(fileId, 'package', 'id'));
 */
export class OwnershipTransferTask extends BatchTask {
  /** @internal */
  readonly target: TransferTarget;

  constructor(
    /** The file to transfer. */
    readonly fileId: string,
    /** The new owner's type. */
    readonly ownerType: OwnerTypeName,
    destination: string | (string | number)[] | TransferTarget,
    strategy: TransferStrategy = 'path',
  ) {
    super();
    const isStated = typeof destination === 'string' || Array.isArray(destination);
    this.target = isStated ? new StatedTarget(fileId, ownerType, destination, strategy) : destination;
  }

  /** Transfers this file alone; returns its owner. */
  async run(): Promise<OwnerReference | undefined> {
    const queue = currentQueue();
    if (!queue) throw new TaskQueueMissingError(TaskQueueMissingError.remedy('A transfer was run'));
    const [owner] = await runTransfers([this], queue);
    return owner;
  }

  /** @internal */
  get batch(): TaskBatch<OwnershipTransferTask> {
    return TRANSFERS;
  }
}

// Where other tasks stand between them, the files of all are locked first, in the order of their ids.
const TRANSFERS: TaskBatch<OwnershipTransferTask> = { run: runTransfers, prepare: lockTransfers };
