import type { FilesError } from '../../errors/files-error.js';
import { ValidationFailedError } from '../../errors/files.errors.js';

/**
 * What a resolver throws for an error of the library: graphql-js puts `extensions` into the answer, so clients find the code where
 * Apollo has its own, and the body of the HTTP answer where Nest has that of HTTP exceptions.
 */
export function toGraphqlError(error: FilesError): Error {
  // Nest's driver gives it the form that errors of the ValidationPipe have.
  if (error instanceof ValidationFailedError) return error;
  const extensions = { code: error.code, originalError: error.getResponse() };
  return Object.assign(new Error(error.publicMessage, { cause: error }), { extensions });
}
