import { parseByteSize } from '../../storage/byte-size.js';
import { checkOf } from './file-rule.js';
import type { FileRule } from './file-rule.js';

export function maxFileSizeRule(maxSize: number | string): FileRule {
  const bytes = parseByteSize(maxSize);
  const shown = typeof maxSize === 'number' ? `${maxSize} bytes` : maxSize;
  return {
    name: 'maxFileSize',
    constraints: [maxSize],
    checker: checkOf({ code: 'FILE_SIZE', constraint: shown }, ({ size }) => size <= bytes),
  };
}
