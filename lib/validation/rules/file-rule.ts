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

/** What is wrong with the file, if anything. */
export type FileCheck = (file: FileSnapshot | undefined) => string | undefined;

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
  /** Gives what tells what is wrong with a file; called once for all files of the value. */
  checker(field: Field): FileCheck | Promise<FileCheck>;
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
 * Checks one id, or a list of ids. Lists that name more than `maxFiles`, and anything but well-formed ids, are refused before the database
 * is asked. The work is proportional to the length of the list.
 */
export async function examine<Field extends FileField>(
  rule: FileRule<Field>,
  value: unknown,
  field: Field,
  maxFiles?: number,
): Promise<Examined> {
  const problems: Found = new Map();
  const report = (problem: string, id: unknown): void => {
    const ids = problems.get(problem);
    if (ids) ids.push(id);
    else problems.set(problem, [id]);
  };
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const limit = Array.isArray(value) ? (maxFiles ?? EarlyCheck.current().maxFiles) : Infinity;
  if (items.length > limit) return { problems: new Map([[`Must name at most ${limit} files`, []]]), files: [] };
  const ids: string[] = [];
  for (const item of items) {
    // Ids are written in lower case; another spelling of one would be another text in the application's own column.
    if (typeof item === 'string' && normalizeFileId(item) === item) ids.push(item);
    else report(rule.noFile, item);
  }
  if (rule.repeated !== undefined) for (const id of repeatedIn(ids)) report(rule.repeated, id);
  if (problems.size > 0 || ids.length === 0) return { problems, files: [] };
  const files = await EarlyCheck.current().find(ids);
  const check = await rule.checker(field);
  for (const id of ids) {
    const problem = check(files.get(id));
    if (problem !== undefined) report(problem, id);
  }
  return { problems, files: ids.flatMap((id) => files.get(id) ?? []) };
}

/** The ids that are there more than once. */
function repeatedIn(ids: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(ids.filter((id) => seen.has(id) || !seen.add(id)));
}
