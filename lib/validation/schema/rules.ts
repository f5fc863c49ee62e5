import type { OwnerEntity, OwnerTypeName } from '../../files/owner-type-name.js';
import type { IdField } from '../../ownership/id-field.js';
import { describeProblems } from '../problems.js';
import { acceptFileStorageRule } from '../rules/accept-file-storage.rule.js';
import { acceptFileTypeRule } from '../rules/accept-file-type.rule.js';
import { FILE_EXISTS } from '../rules/file-exists.rule.js';
import { maxFileSizeRule } from '../rules/max-file-size.rule.js';
import { readTransferTerms } from '../rules/transfer-options.js';
import type { TransferOwnershipOptions } from '../rules/transfer-options.js';
import { REFUSALS, transferRule } from '../rules/transfer-ownership.rule.js';
import { splitOptions } from '../split-options.js';
import { SchemaFileRule } from './schema-file-rule.js';
import type { SchemaField } from './schema-file-rule.js';

/** Options of a rule for a schema. */
export interface SchemaRuleOptions {
  /** Said instead of what the rule would say. */
  message?: string;
}

/**
 * As `@TransferOwnership()`, for a schema: the file, or the files, that the field names become the saved entity's in the same commit.
 * Goes with `@WithTaskQueue()` on the handler.
 * @example withFiles(z.object({ attachmentId: z.string() }), { attachmentId: transferOwnership('package') })
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the application writes the type of its own DTO here
export function transferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  { message }: SchemaRuleOptions = {},
): SchemaFileRule<Dto> {
  const declaredBy = 'transferOwnership';
  const rule = transferRule<SchemaField>(readTransferTerms(ownerType, options, declaredBy), {
    declaredBy,
    identity: ({ place }) => place,
    message:
      ({ property, value }) =>
      (reason, fileIds) =>
        `${property}: ${message ?? describeProblems(new Map([[REFUSALS[reason], fileIds]]), Array.isArray(value))}`,
  });
  return new SchemaFileRule(rule, message);
}

/** As `@FileExists()`, for a schema: the field names a file that exists, or a list of such. */
export function fileExists({ message }: SchemaRuleOptions = {}): SchemaFileRule {
  return new SchemaFileRule(FILE_EXISTS, message);
}

/** As `@AcceptFileType()`, for a schema: the field names files of these types. Options may come last. */
export function acceptFileType(...args: [type: string, ...more: (string | SchemaRuleOptions)[]]): SchemaFileRule {
  const [types, options] = splitOptions(args);
  return new SchemaFileRule(acceptFileTypeRule(types, 'acceptFileType()'), options?.message);
}

/** As `@AcceptFileStorage()`, for a schema: the field names files in these storages. Options may come last. */
export function acceptFileStorage(...args: [name: string, ...more: (string | SchemaRuleOptions)[]]): SchemaFileRule {
  const [storages, options] = splitOptions(args);
  return new SchemaFileRule(acceptFileStorageRule(storages, 'acceptFileStorage()'), options?.message);
}

/** As `@MaxFileSize()`, for a schema: the field names files of at most this size. */
export function maxFileSize(maxSize: number | string, { message }: SchemaRuleOptions = {}): SchemaFileRule {
  return new SchemaFileRule(maxFileSizeRule(maxSize), message);
}
