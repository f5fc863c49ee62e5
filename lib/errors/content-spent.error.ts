import { FilesError } from './files-error.js';

/** A stream was given as content that had been read before, or given before: what is left of it is not the content. */
export class ContentSpentError extends FilesError {
  readonly code = 'FILES_CONTENT_SPENT';

  constructor(
    /** Where the content was to go. */
    readonly target: string,
  ) {
    super(
      `The stream for ${target} was read before, so its content is not complete. ` +
        'Give a stream that nothing has read, or a function that opens it: () => createReadStream(path). A unit of work with `retry` needs the function.',
    );
  }
}
