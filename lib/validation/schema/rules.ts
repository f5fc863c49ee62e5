import type { OwnerEntity, OwnerTypeName } from '../../files/owner-type-name.js';
import type { IdField } from '../../ownership/id-field.js';
import { TransferRuntime } from '../../ownership/transfer-runtime.js';
import {
  readMaxFiles,
  acceptFileStorageRule,
  acceptFileTypeRule,
  FILE_EXISTS,
  maxFileSizeRule,
  splitOptions,
} from '../rules/file-rule.js';
import type { FileRule } from '../rules/file-rule.js';
import { describeProblems, problemsOf } from '../problems.js';
import { readTransferOptions, REFUSALS, transferRule } from '../rules/transfer-ownership.rule.js';
import type { TransferOwnershipOptions } from '../rules/transfer-ownership.rule.js';
import { SchemaFileRule } from './schema-file-rule.js';
import type { SchemaField } from './schema-file-rule.js';

/** Options of a rule for a schema. */
export interface SchemaRuleOptions {
  /** Replaces the message of the rule. */
  message?: string;
  /** How many files a list may name. @default the module's `validation.maxFiles` */
  maxFiles?: number;
}

/**
 * As `@TransferOwnership()`, for a schema: the file, or the files, that the field names become the saved entity's in
 * the same commit. Needs `@WithTaskQueue()` on the handler.
 * @example withFiles(z.object({ attachmentId: z.string() }), { attachmentId: transferOwnership('package') })
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export function transferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  { message, maxFiles }: SchemaRuleOptions = {},
): SchemaFileRule<Dto> {
  const declaredBy = 'transferOwnership';
  const rule = transferRule<SchemaField>(readTransferOptions(ownerType, options, declaredBy), {
    declaredBy,
    identity: ({ place }) => place,
    message:
      ({ property, value }) =>
      (reason, fileIds, way) => {
        const problem = REFUSALS[reason];
        const { messages } = TransferRuntime.validation();
        const text = message ?? describeProblems(problemsOf(problem, [...fileIds]), Array.isArray(value), messages);
        return { field: way + property, code: problem.code, message: `${way}${property}: ${text}` };
      },
  });
  return new SchemaFileRule(rule, message, readMaxFiles(maxFiles, `${declaredBy}()`));
}

/** As `@FileExists()`, for a schema: the field names a file that exists, or a list of such. */
export function fileExists(options?: SchemaRuleOptions): SchemaFileRule {
  return schemaRule(FILE_EXISTS, 'fileExists()', options);
}

/** As `@AcceptFileType()`, for a schema: the field names files of these types. Options may come last. */
export function acceptFileType(...args: [type: string, ...more: (string | SchemaRuleOptions)[]]): SchemaFileRule {
  const [types, options] = splitOptions(args);
  const declaredBy = 'acceptFileType()';
  return schemaRule(acceptFileTypeRule(types, declaredBy), declaredBy, options);
}

/** As `@AcceptFileStorage()`, for a schema: the field names files in these storages. Options may come last. */
export function acceptFileStorage(...args: [name: string, ...more: (string | SchemaRuleOptions)[]]): SchemaFileRule {
  const [storages, options] = splitOptions(args);
  const declaredBy = 'acceptFileStorage()';
  return schemaRule(acceptFileStorageRule(storages, declaredBy), declaredBy, options);
}

/** As `@MaxFileSize()`, for a schema: the field names files of at most this size. */
export function maxFileSize(maxSize: number | string, options?: SchemaRuleOptions): SchemaFileRule {
  return schemaRule(maxFileSizeRule(maxSize), 'maxFileSize()', options);
}

function schemaRule(rule: FileRule, declaredBy: string, { message, maxFiles }: SchemaRuleOptions = {}): SchemaFileRule {
  return new SchemaFileRule(rule, message, readMaxFiles(maxFiles, declaredBy));
}
