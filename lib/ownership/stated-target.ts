import { FileNotFoundError, FilePinnedError } from '../errors/files.errors.js';
import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { TransferStrategyUnknownError } from '../errors/setup.errors.js';
import type { OwnerReference } from '../files/owner-reference.js';
import { Task } from '../task-queue/task.js';
import { ownerIdOf } from '../files/owner-reference.js';
import type { CallOutcome } from './owner-resolution.js';
import type { MoveOutcome } from './statements/transfer-statements.js';
import type { Refusal, TransferTarget } from './transfer-target.js';

/** `'path'`: the destination leads to the owner's id in the result. `'value'`: it is the id. */
export type TransferStrategy = 'path' | 'value';

/** An owner that the application stated, by a path into the result or by its id. The actor need not own the file. */
export class StatedTarget implements TransferTarget {
  readonly field = null;
  readonly from = 'anyone';
  readonly authorize = false;
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

  refusal({ fileId, verdict }: MoveOutcome): Refusal {
    const isMissing = verdict === 'missing';
    return {
      kind: 'error',
      error: isMissing ? new FileNotFoundError(fileId) : new FilePinnedError(fileId, 'a transfer'),
    };
  }
}
