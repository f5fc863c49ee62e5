/**
 * File rules for Standard Schema: Zod, Valibot and others.
 * @module nestjs-files/schema
 */

export type { FileRules, RuleTree } from '../validation/schema/file-rules.js';
export {
  acceptFileStorage,
  acceptFileType,
  fileExists,
  maxFileSize,
  transferOwnership,
} from '../validation/schema/rules.js';
export type { SchemaRuleOptions } from '../validation/schema/rules.js';
export type { SchemaFileRule } from '../validation/schema/schema-file-rule.js';
export type { SchemaOutput, StandardSchema } from '../validation/schema/standard-schema.js';
export { withFiles } from '../validation/schema/with-files.js';
