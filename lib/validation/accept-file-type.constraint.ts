import { fileConstraint } from './file-constraint.js';
import type { FileFieldValidationOptions } from './file-constraint.js';
import { acceptFileTypeRule } from './rules/accept-file-type.rule.js';
import { splitOptions } from './split-options.js';

/**
 * The field names files of these types: full types, main types or subtypes. Validation options may come last.
 * @example \@AcceptFileType('application/pdf', 'image') attachmentId?: string;
 */
export function AcceptFileType(
  ...args: [type: string, ...more: (string | FileFieldValidationOptions)[]]
): PropertyDecorator {
  const [types, options] = splitOptions(args);
  return fileConstraint(acceptFileTypeRule(types, '@AcceptFileType()'), options);
}
