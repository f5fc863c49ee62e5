import type { ValidationOptions } from 'class-validator';
import { fileConstraint } from './file-constraint.js';

export const NO_FILE = 'File does not exist';

/** The field names a file that exists, or a list of such. */
export function FileExists(options?: ValidationOptions): PropertyDecorator {
  return fileConstraint(
    { name: 'fileExists', constraints: [], noFile: NO_FILE, check: (file) => (file ? undefined : NO_FILE) },
    options,
  );
}
