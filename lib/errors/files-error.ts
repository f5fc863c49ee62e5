import { STATUS_CODES } from 'node:http';
import { HttpException, HttpStatus } from '@nestjs/common';
import { isServerFault, statusOf, type FilesErrorCode } from './error-status.js';
import type { FieldProblem } from './file-problem.js';

/**
 * Every error of the library. `code` is stable; the message is for people and may change. It is an `HttpException`, so
 * that every exception filter of Nest finds its status and its body.
 */
export abstract class FilesError extends HttpException {
  /** Names the kind of error, for programs: `FILES_…`. It does not change. */
  abstract readonly code: FilesErrorCode;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, HttpStatus.INTERNAL_SERVER_ERROR, options);
    this.name = new.target.name;
    // HttpException drops a cause like 0 or '', and leaves an empty one where there is none, which consoles then print.
    Object.defineProperty(this, 'cause', {
      value: options.cause,
      enumerable: false,
      configurable: true,
      writable: true,
    });
    if (!('cause' in options)) delete this.cause;
    // The code is known only after the constructors. Some filters and drivers read the fields, not the methods.
    Object.defineProperties(this, {
      response: { get: () => this.getResponse(), enumerable: false },
      status: { get: () => this.getStatus(), enumerable: false },
      options: { enumerable: false },
    });
  }

  /** The HTTP status of the code. */
  override getStatus(): HttpStatus {
    return statusOf(this.code);
  }

  /** The body of the HTTP answer. Where the server is at fault, the message stays in the log. */
  override getResponse(): FilesErrorBody {
    const statusCode = this.getStatus();
    return { statusCode, code: this.code, message: this.publicMessage, error: STATUS_CODES[statusCode] ?? 'Error' };
  }

  /** What clients of any transport may read: the message, or the name of the status where the server is at fault. */
  get publicMessage(): string {
    const status = this.getStatus();
    return isServerFault(status) ? (STATUS_CODES[status] ?? 'Error') : this.message;
  }
}

/** The body of the HTTP answer to an error of the library. */
export interface FilesErrorBody {
  /** The HTTP status. */
  statusCode: number;
  /** The error's code. */
  code: FilesErrorCode;
  /** For people; a list where several fields are wrong. */
  message: string | string[];
  /** The name of the status. */
  error: string;
  /** The problems of the fields, if the code is `FILES_VALIDATION_FAILED`. */
  problems?: readonly FieldProblem[];
}
