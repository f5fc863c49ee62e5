import { parseByteSize } from '../../storage/byte-size.js';
import { NO_FILE } from './file-exists.rule.js';
import type { FileRule } from './file-rule.js';

export function maxFileSizeRule(maxSize: number | string): FileRule {
  const bytes = parseByteSize(maxSize);
  const shown = typeof maxSize === 'number' ? `${maxSize} bytes` : maxSize;
  const problem = `File must not be larger than ${shown}`;
  return {
    name: 'maxFileSize',
    constraints: [maxSize],
    noFile: NO_FILE,
    checker: () => (file) => (file ? (file.size <= bytes ? undefined : problem) : NO_FILE),
  };
}
