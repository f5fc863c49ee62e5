import { UPLOAD_AS } from '../../staging/upload-rule.js';
import { TRANSFER_OWNERSHIP } from './transfer-ownership.rule.js';

/** What class-validator calls the rules about files. */
export const FILE_RULES: ReadonlySet<string> = new Set([
  'acceptFileStorage',
  'acceptFileType',
  'fileExists',
  'maxFileSize',
  TRANSFER_OWNERSHIP,
  UPLOAD_AS,
]);
