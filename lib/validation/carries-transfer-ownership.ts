import { carriesRule } from '../task-queue/nested-classes.js';
import { TRANSFER_OWNERSHIP } from './rules/transfer-ownership.rule.js';

/** Whether the class, or a class that its properties are validated as, has a field with `@TransferOwnership()`. */
export function carriesTransferOwnership(dtoClass: unknown): boolean {
  return carriesRule(dtoClass, ({ name }) => name === TRANSFER_OWNERSHIP);
}
