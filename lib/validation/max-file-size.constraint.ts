import { fileConstraint } from './file-constraint.js';
import type { FileFieldValidationOptions } from './file-constraint.js';
import { maxFileSizeRule } from './rules/max-file-size.rule.js';

/** The field names files of at most this size: bytes, or a text like `'10MiB'`. Throws `ByteSizeInvalidError` for anything else. */
export function MaxFileSize(maxSize: number | string, options?: FileFieldValidationOptions): PropertyDecorator {
  return fileConstraint(maxFileSizeRule(maxSize), options);
}
