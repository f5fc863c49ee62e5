import type { FileRule } from './file-rule.js';

export const NO_FILE = 'File does not exist';

export const FILE_EXISTS: FileRule = {
  name: 'fileExists',
  constraints: [],
  noFile: NO_FILE,
  checker: () => (file) => (file ? undefined : NO_FILE),
};
