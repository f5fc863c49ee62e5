import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { read } from '../../ownership/object-index.js';
import { TransferRuntime } from '../../ownership/transfer-runtime.js';
import { describeProblems, noteProblems } from '../problems.js';
import { checkFiles, normalized } from '../rules/file-rule.js';
import type { FileRules, RuleTree } from './file-rules.js';
import { ruleFields } from './rule-fields.js';
import type { RuleField } from './rule-fields.js';
import type { SchemaField } from './schema-file-rule.js';
import { allRules, fieldRules } from './rule-tree.js';
import type { SchemaResult, StandardSchema } from './standard-schema.js';

/** The schemas made here, and whether they transfer files. */
const made = new WeakMap<object, { readonly transfers: boolean }>();

/**
 * A schema that, once the given one is content, checks the files that the parsed value names: all of them with one
 * SELECT, once. For `@Body({ schema })` and its like, with `StandardSchemaValidationPipe`.
 * @example
 * const UpdatePackage = withFiles(z.object({ attachmentId: z.string() }), {
 *   attachmentId: transferOwnership('package'),
 * });
 */
export function withFiles<Input, Output>(
  schema: StandardSchema<Input, Output>,
  rules: FileRules<Output>,
): StandardSchema<Input, Output> {
  const tree = rules as RuleTree;
  const transfers = transfersFiles(schema) || allRules(tree).some((rule) => rule.transfers);
  if (fieldRules(tree)?.some((rule) => rule.transfers)) {
    throw new DecorationInvalidError('transferOwnership()', 'a whole value', 'it goes on a property of an object.');
  }
  const standard = schema['~standard'];
  const wrapped: StandardSchema<Input, Output> = {
    // With the schema library's other properties, such as its JSON schema.
    '~standard': {
      ...standard,
      vendor: 'nestjs-files',
      async validate(value, options) {
        const result = await standard.validate(value, options);
        return result.issues ? result : validateFiles(tree, result, value);
      },
    },
  };
  made.set(wrapped, { transfers });
  return wrapped;
}

/** Whether a schema was made here. */
export function hasFileRules(schema: unknown): boolean {
  return made.has(schema as object);
}

/** Whether a schema has `transferOwnership()` for one of its fields. */
export function transfersFiles(schema: unknown): boolean {
  return made.get(schema as object)?.transfers === true;
}

async function validateFiles<Output>(
  tree: RuleTree,
  result: { readonly value: Output },
  sent: unknown,
): Promise<SchemaResult<Output>> {
  const named = ruleFields(tree, result.value, sent).filter(({ fields: [{ value }] }) => value !== null);
  for (const { rule, fields } of named) rule.rule.begin?.(fields[0]);
  const examined = await Promise.all(named.map(examineField));
  const issues = examined.flatMap(({ issue }) => issue ?? []);
  if (issues.length > 0) return { issues };
  for (const { fields } of named) for (const field of fields) normalize(field);
  // A value that is refused leaves nothing in the queue.
  for (const { rule, fields, files } of examined) {
    if (files.length > 0) for (const field of fields) rule.rule.accept?.(files, field);
  }
  return named.some(({ fields: [{ path }] }) => path.length === 0)
    ? { value: normalized(result.value) as Output }
    : result;
}

/** The handler gets the ids as files have them. */
function normalize({ object, property, path }: SchemaField): void {
  if (path.length === 0) return;
  const held = read(object, property);
  const ids = normalized(held);
  if (ids === held) return;
  if (object instanceof Map) object.set(property, ids);
  else (object as Record<string, unknown>)[property] = ids;
}

async function examineField({ rule, fields }: RuleField) {
  const [field] = fields;
  const { value, path, claims } = field;
  const { problems, files } = await checkFiles(rule.rule, value, field, { claims, maxFiles: rule.maxFiles });
  const { messages } = TransferRuntime.validation();
  const message = rule.message ?? describeProblems(problems, Array.isArray(value), messages);
  const name = path.join('.');
  // As the StandardSchemaValidationPipe says it.
  noteProblems(problems, name, name === '' ? message : `${name}: ${message}`);
  return { rule, fields, files, issue: problems.size > 0 ? { message, path } : undefined };
}
