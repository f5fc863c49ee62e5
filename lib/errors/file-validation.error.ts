import { FilesError } from './files-error.js';
import type { FilesErrorBody } from './files-error.js';

/** What a client sent turned out to be wrong after validation was over; over HTTP it reads like a validation error. */
export class FileValidationError extends FilesError {
  readonly code = 'FILES_VALIDATION';

  constructor(
    /** One for each field, as `ValidationPipe` has them. */
    readonly messages: string[],
    options?: ErrorOptions,
  ) {
    super(messages.join('; '), options);
  }

  /** The body that `ValidationPipe` gives, with the code. */
  override getResponse(): FilesErrorBody {
    return { ...super.getResponse(), message: this.messages };
  }
}
