import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { isContentTypePattern, matchesContentType } from '../../storage/content-type.js';
import { checkOf } from './file-rule.js';
import type { FileRule } from './file-rule.js';

/** The rule, as `declaredBy` states it; throws where that makes no sense. */
export function acceptFileTypeRule(types: readonly string[], declaredBy: string): FileRule {
  const wrong = types.find((type) => !isContentTypePattern(type));
  if (types.length === 0 || wrong !== undefined) {
    const why =
      wrong === undefined ? 'it names no type.' : `"${wrong}" is no content type. Use 'text/csv', 'image' or 'csv'.`;
    throw new DecorationInvalidError(declaredBy, 'a property', why);
  }
  const accepted = types.join(', ');
  return {
    name: 'acceptFileType',
    constraints: [accepted],
    checker: checkOf({ code: 'FILE_TYPE', constraint: accepted }, ({ contentType }) =>
      matchesContentType(contentType, types),
    ),
  };
}
