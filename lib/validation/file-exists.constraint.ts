import { fileConstraint } from './file-constraint.js';
import type { FileFieldValidationOptions } from './file-constraint.js';
import { FILE_EXISTS } from './rules/file-exists.rule.js';

/** The field names a file that exists, or a list of such. */
export function FileExists(options?: FileFieldValidationOptions): PropertyDecorator {
  return fileConstraint(FILE_EXISTS, options);
}
