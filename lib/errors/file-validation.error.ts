import type { FieldProblem } from './file-problem.js';
import { FilesError } from './files-error.js';
import type { FilesErrorBody } from './files-error.js';

/** What a client sent turned out to be wrong after validation was over; over HTTP it reads like a validation error. */
export class FileValidationError extends FilesError {
  readonly code = 'FILES_VALIDATION';
  /** What is wrong with which field. */
  readonly problems: readonly FieldProblem[];

  constructor(
    /** One for each field, as `ValidationPipe` has them. */
    readonly messages: string[],
    { problems = [], ...options }: ErrorOptions & { problems?: readonly FieldProblem[] } = {},
  ) {
    super(messages.join('; '), options);
    this.problems = problems;
  }

  /** The body that `ValidationPipe` gives, with the code, and with that of each field. */
  override getResponse(): FilesErrorBody {
    const { messages: message, problems } = this;
    return { ...super.getResponse(), message, ...(problems.length > 0 && { problems }) };
  }
}
