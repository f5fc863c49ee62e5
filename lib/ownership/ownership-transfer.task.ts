import { ownerIdOf } from '../files/owner-reference.js';
import type { OwnerReference } from '../files/owner-reference.js';
import type { OwnerTypeName } from '../files/owner-type-name.js';
import { BatchTask, type TaskBatch } from '../task-queue/unit-queue.js';
import { FileNotFoundError, FilePinnedError } from '../errors/files.errors.js';
import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { TransferStrategyUnknownError } from '../errors/setup.errors.js';
import { Task } from '../task-queue/task.js';
import { lockTransfers, runTransfers } from './transfer-batch.js';
import type { TransferTarget, Refusal } from './transfer-target.js';
import type { CallOutcome } from './call-outcome.js';
import type { TransferOutcome } from './statements/transfer-statements.js';

/**
 * Transfers a file to an entity of the result and pins it there, without force: a pinned file is refused, unless it is
 * the owner's already. `'path'` reads the owner's id from the result, `'value'` takes the destination as the id.
 * Adjacent transfers are one batch. Returns the owner.
 * @example queue.add(new OwnershipTransferTask(fileId, 'package', 'id'));
 */
export class OwnershipTransferTask extends BatchTask<OwnerReference | undefined> {
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

  /** @internal */
  get batch(): TaskBatch<OwnershipTransferTask> {
    return TRANSFERS;
  }
}

// Where other tasks stand between them, the files of all are locked first, in the order of their ids.
const TRANSFERS: TaskBatch<OwnershipTransferTask> = { run: runTransfers, prepare: lockTransfers };

/** `'path'`: the destination leads to the owner's id in the result. `'value'`: it is the id. */
export type TransferStrategy = 'path' | 'value';

/** An owner that the application stated, by a path into the result or by its id. The actor need not own the file. */
class StatedTarget implements TransferTarget {
  readonly field = null;
  readonly from = 'anyone';
  readonly seen = undefined;
  readonly claimants = [];
  readonly wanted = [];

  constructor(
    private readonly fileId: string,
    private readonly ownerType: string,
    private readonly destination: string | (string | number)[],
    private readonly strategy: TransferStrategy,
  ) {
    if (strategy !== 'path' && strategy !== 'value') throw new TransferStrategyUnknownError(strategy);
  }

  owner({ result }: CallOutcome): OwnerReference {
    const { destination, strategy } = this;
    const id = ownerIdOf(strategy === 'value' ? destination : Task.extract(result, destination));
    if (id === undefined) {
      const where = strategy === 'value' ? 'the value given' : `the result at ${JSON.stringify(destination)}`;
      throw new OwnerNotResolvedError('OwnershipTransferTask', this.fileId, `${where} is no id`);
    }
    return { type: this.ownerType, id };
  }

  refusal({ fileId, verdict }: TransferOutcome): Refusal {
    const isMissing = verdict === 'missing';
    return {
      kind: 'error',
      error: isMissing ? new FileNotFoundError(fileId) : new FilePinnedError(fileId, 'a transfer'),
    };
  }
}
