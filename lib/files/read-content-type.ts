import { ContentTypeInvalidError } from '../errors/files.errors.js';
import { parseContentType } from '../storage/content-type.js';

/** A declared content type, without its parameters; throws `ContentTypeInvalidError`. */
export function readContentType(contentType: string | undefined): string | undefined {
  if (contentType === undefined) return undefined;
  const type = parseContentType(contentType);
  if (type === undefined) throw new ContentTypeInvalidError(contentType);
  return type;
}
