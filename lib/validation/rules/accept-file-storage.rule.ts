import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { checkOf } from './file-rule.js';
import type { FileRule } from './file-rule.js';

/** The rule, as `declaredBy` states it; throws where that makes no sense. */
export function acceptFileStorageRule(storages: readonly string[], declaredBy: string): FileRule {
  if (storages.length === 0) throw new DecorationInvalidError(declaredBy, 'a property', 'it names no storage.');
  const accepted = storages.join(', ');
  return {
    name: 'acceptFileStorage',
    constraints: [accepted],
    checker: checkOf({ code: 'FILE_STORAGE', constraint: accepted }, ({ storage }) => storages.includes(storage)),
  };
}
