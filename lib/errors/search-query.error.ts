import { FilesError } from './files-error.js';

/** A search that cannot be run as it is asked for. `at` is the place in its options: `filters.size.$gt`. */
export class SearchQueryError extends FilesError {
  readonly code = 'FILES_SEARCH_QUERY';

  constructor(
    /** The place in the search's options. */
    readonly at: string,
    reason: string,
  ) {
    super(`The search is refused at ${at}: ${reason}.`);
  }
}
