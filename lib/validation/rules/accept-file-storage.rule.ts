import { InvalidDecorationError } from '../../errors/invalid-decoration.error.js';
import { NO_FILE } from './file-exists.rule.js';
import type { FileRule } from './file-rule.js';

/** The rule, as `declaredBy` states it; throws where that makes no sense. */
export function acceptFileStorageRule(storages: readonly string[], declaredBy: string): FileRule {
  if (storages.length === 0) throw new InvalidDecorationError(declaredBy, 'a property', 'it names no storage.');
  const accepted = storages.join(', ');
  const problem = `File storage must be one of ${accepted}`;
  return {
    name: 'acceptFileStorage',
    constraints: [accepted],
    noFile: NO_FILE,
    checker: () => (file) => (file ? (storages.includes(file.storage) ? undefined : problem) : NO_FILE),
  };
}
