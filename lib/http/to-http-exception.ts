import { STATUS_CODES } from 'node:http';
import { BadRequestException, HttpException } from '@nestjs/common';
import { FileValidationError } from '../errors/file-validation.error.js';
import type { FilesError } from '../errors/files-error.js';
import { statusOf } from './error-status.js';
import { publicMessage } from './public-message.js';

/**
 * The HTTP answer to an error of the library: `{ statusCode, code, message, error }`. Where the server is at fault, the message
 * stays in the log. An error of validation has the shape that Nest's `ValidationPipe` gives.
 */
export function toHttpException(error: FilesError): HttpException {
  if (error instanceof FileValidationError) return new BadRequestException(error.messages, { cause: error });
  const statusCode = statusOf(error.code);
  const reason = STATUS_CODES[statusCode] ?? 'Error';
  const body = { statusCode, code: error.code, message: publicMessage(error), error: reason };
  return new HttpException(body, statusCode, { cause: error });
}
