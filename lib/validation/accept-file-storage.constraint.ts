import { fileConstraint } from './file-constraint.js';
import type { FileFieldValidationOptions } from './file-constraint.js';
import { acceptFileStorageRule } from './rules/accept-file-storage.rule.js';
import { splitOptions } from './split-options.js';

/** The field names files in these storages. Validation options may come last. */
export function AcceptFileStorage(
  ...args: [name: string, ...more: (string | FileFieldValidationOptions)[]]
): PropertyDecorator {
  const [storages, options] = splitOptions(args);
  return fileConstraint(acceptFileStorageRule(storages, '@AcceptFileStorage()'), options);
}
