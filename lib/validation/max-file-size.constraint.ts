import type { ValidationOptions } from 'class-validator';
import { parseByteSize } from '../storage/byte-size.js';
import { fileConstraint } from './file-constraint.js';
import { NO_FILE } from './file-exists.constraint.js';

/** The field names files of at most this size: bytes, or a text like `'10MiB'`. Throws `ByteSizeError` for anything else. */
export function MaxFileSize(maxSize: number | string, options?: ValidationOptions): PropertyDecorator {
  const bytes = parseByteSize(maxSize);
  const shown = typeof maxSize === 'number' ? `${maxSize} bytes` : maxSize;
  const problem = `File must not be larger than ${shown}`;
  return fileConstraint(
    {
      name: 'maxFileSize',
      constraints: [maxSize],
      noFile: NO_FILE,
      check: (file) => (file ? (file.size <= bytes ? undefined : problem) : NO_FILE),
    },
    options,
  );
}
