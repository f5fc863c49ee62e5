import { UNAVAILABLE } from '../../errors/file-problem.js';
import { checkOf } from './file-rule.js';
import type { FileRule } from './file-rule.js';

export const FILE_EXISTS: FileRule = {
  name: 'fileExists',
  constraints: [],
  checker: checkOf(UNAVAILABLE, () => true),
};
