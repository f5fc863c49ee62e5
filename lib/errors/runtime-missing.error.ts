import { FilesError } from './files-error.js';

/** A task or a constraint ran where it cannot be told which application's files it is about. */
export class RuntimeMissingError extends FilesError {
  readonly code = 'FILES_RUNTIME_MISSING';

  constructor(what: string) {
    super(`${what}. Import FilesModule.forRoot() in the application, once per data source.`);
  }
}
