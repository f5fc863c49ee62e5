import type { ValidationOptions } from 'class-validator';
import { InvalidDecorationError } from '../errors/invalid-decoration.error.js';
import { isContentTypePattern, matchesContentType } from '../storage/content-type.js';
import { fileConstraint } from './file-constraint.js';
import { NO_FILE } from './file-exists.constraint.js';
import { splitOptions } from './split-options.js';

/**
 * The field names files of these types: full types, main types or subtypes. Validation options may come last.
 * @example \@AcceptFileType('application/pdf', 'image') attachmentId?: string;
 */
export function AcceptFileType(...args: [type: string, ...more: (string | ValidationOptions)[]]): PropertyDecorator {
  const [types, options] = splitOptions(args);
  const wrong = types.find((type) => !isContentTypePattern(type));
  if (types.length === 0 || wrong !== undefined) {
    const why =
      wrong === undefined ? 'it names no type.' : `"${wrong}" is no content type. Use 'text/csv', 'image' or 'csv'.`;
    throw new InvalidDecorationError('@AcceptFileType()', 'a property', why);
  }
  const accepted = types.join(', ');
  const problem = `File type must be one of ${accepted}`;
  return fileConstraint(
    {
      name: 'acceptFileType',
      constraints: [accepted],
      noFile: NO_FILE,
      check: (file) => (file ? (matchesContentType(file.contentType, types) ? undefined : problem) : NO_FILE),
    },
    options,
  );
}
