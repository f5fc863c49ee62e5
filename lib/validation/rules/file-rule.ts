import { normalizeFileId } from '../../files/file-id.js';
import type { FileSnapshot } from '../../ownership/statements/transfer-statements.js';
import { EarlyCheck } from '../early-check.js';

/** A field with files: class-validator's `ValidationArguments` are one, and so is the place that a schema's rule stands for. */
export interface FileField {
  readonly object: object;
  readonly property: string;
  /** What the object is called in errors. */
  readonly targetName: string;
}

/** A rule about the file, or each of the files, that a field names. */
export interface FileRule<Field extends FileField = FileField> {
  /** What class-validator calls it. */
  readonly name: string;
  /** What `$constraint1` stands for in messages. */
  readonly constraints: readonly unknown[];
  /** What is wrong with a value that is no file's id. */
  readonly noFile: string;
  /** Called before anything else; throws where the rule cannot be checked. */
  begin?(field: Field): void;
  /** What is wrong with the file, if anything. */
  check(file: FileSnapshot | undefined, field: Field): string | undefined | Promise<string | undefined>;
  /** What is wrong with a list that names a file twice; without it, that is fine. */
  readonly repeated?: string;
  /** Called when nothing is wrong with the files. */
  accept?(files: readonly FileSnapshot[], field: Field): void;
}

/** What is wrong, and with which ids. */
export type Found = Map<string, unknown[]>;

interface Examined {
  readonly problems: Found;
  readonly files: readonly FileSnapshot[];
}

/**
 * Checks one id, or a list of ids. Anything but well-formed ids is refused before the database is asked. `list` is the whole list of the
 * field, of which the value may be one item.
 */
export async function examine<Field extends FileField>(
  rule: FileRule<Field>,
  value: unknown,
  field: Field,
  list: unknown = value,
): Promise<Examined> {
  const problems: Found = new Map();
  const report = (problem: string, id: unknown): unknown =>
    problems.set(problem, [...(problems.get(problem) ?? []), id]);
  const ids: string[] = [];
  for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
    // Ids are written in lower case; another spelling of one would be another text in the application's own column.
    if (typeof item === 'string' && normalizeFileId(item) === item) ids.push(item);
    else report(rule.noFile, item);
  }
  if (rule.repeated !== undefined) for (const id of repeatedIn(ids, list)) report(rule.repeated, id);
  if (problems.size > 0 || ids.length === 0) return { problems, files: [] };
  const check = EarlyCheck.current();
  const files = await Promise.all(ids.map((id) => check.find(id)));
  for (const [index, id] of ids.entries()) {
    const problem = await rule.check(files[index], field);
    if (problem !== undefined) report(problem, id);
  }
  return { problems, files: files.filter((file) => file !== undefined) };
}

/** The ids that the list names more than once. */
function repeatedIn(ids: readonly string[], list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  const seen = new Set<unknown>();
  const twice = new Set(list.filter((id: unknown) => seen.has(id) || !seen.add(id)));
  return [...new Set(ids)].filter((id) => twice.has(id));
}
