import { STATUS_CODES } from 'node:http';
import type { FilesError } from '../errors/files-error.js';
import { statusOf } from './error-status.js';

/** What clients of any transport may read of an error: where the server is at fault, the message stays in the log. */
export function publicMessage(error: FilesError): string {
  const status = statusOf(error.code);
  return isServerFault(status) ? String(STATUS_CODES[status]) : error.message;
}

export function isServerFault(status: number): boolean {
  return status >= 500;
}
