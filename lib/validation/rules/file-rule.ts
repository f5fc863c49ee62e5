import { UNAVAILABLE } from '../../errors/file-problem.js';
import type { FileProblem } from '../../errors/file-problem.js';
import { isFileId, normalizeFileId } from '../../files/file-id.js';
import { TransferRuntime } from '../../ownership/transfer-runtime.js';
import { EarlyCheck } from '../early-check.js';
import type { SeenFile } from '../early-check.js';
import { problemsOf } from '../problems.js';
import type { FoundProblem, Problems } from '../problems.js';
import { parseByteSize } from '../../storage/byte-size.js';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { isContentTypePattern, matchesContentType } from '../../storage/content-type.js';
import { isMaxFiles } from '../../ownership/validation-options.js';

/** A field with files: class-validator's `ValidationArguments`, or the place of a schema's rule. */
export interface ValidatedField {
  readonly object: object;
  readonly property: string;
  /** The name of the object in errors. */
  readonly targetName: string;
}

/** A rule of the field that takes files for owners of the type. */
export interface FieldClaim {
  readonly ownerType: string;
  readonly allowUnowned: boolean;
}

/** The problem of the file, if any. */
type FileCheck = (file: SeenFile | undefined) => FileProblem | undefined;

/** A rule about the file, or each of the files, that a field names. */
export interface FileRule<Field extends ValidatedField = ValidatedField> {
  /** Its name in class-validator. */
  readonly name: string;
  /** The values of `$constraint1` and so on in messages. */
  readonly constraints: readonly unknown[];
  /** The problem of a value that is not an id. @default that the file is not available */
  readonly noFile?: FileProblem;
  /** Called before anything else; throws where the rule cannot be checked. */
  begin?(field: Field): void;
  /** Returns the check of a file; called once for all files of the value. */
  checker(field: Field, claims: readonly FieldClaim[]): FileCheck | Promise<FileCheck>;
  /** Whether a list must not name a file twice. */
  readonly isOnce?: boolean;
  /** Called when the files have no problem. */
  accept?(files: readonly SeenFile[], field: Field): void;
}

interface CheckedFiles {
  readonly problems: Problems;
  readonly files: readonly SeenFile[];
}

/** The other terms of the field's declaration. */
interface FieldTerms {
  /** The claims of this rule and of the field's other rules. */
  readonly claims: readonly FieldClaim[];
  /** How many files a list may name. @default the module's limit */
  readonly maxFiles?: number | undefined;
}

/**
 * Checks one id, or a list of ids. Lists that name more than `maxFiles`, and anything but well-formed ids, are refused
 * before the database is asked. The work is proportional to the length of the list.
 */
export async function checkFiles<Field extends ValidatedField>(
  rule: FileRule<Field>,
  value: unknown,
  field: Field,
  { claims, maxFiles }: FieldTerms,
): Promise<CheckedFiles> {
  const problems = new Map<FileProblem['code'], FoundProblem>();
  const report = (problem: FileProblem, id: unknown): void => {
    const found = problems.get(problem.code);
    if (found) found.ids.push(id);
    else problems.set(problem.code, { problem, ids: [id] });
  };
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const limit = Array.isArray(value) ? (maxFiles ?? TransferRuntime.validation().maxFiles) : Infinity;
  if (items.length > limit) return { problems: problemsOf({ code: 'TOO_MANY_FILES', constraint: limit }), files: [] };
  const ids = idsOf(items, (item) => report(rule.noFile ?? UNAVAILABLE, item));
  if (rule.isOnce) for (const id of repeatedIn(ids)) report({ code: 'FILE_NAMED_TWICE' }, id);
  if (problems.size > 0 || ids.length === 0) return { problems, files: [] };
  const files = await EarlyCheck.current().find(ids);
  const check = await rule.checker(field, claims);
  for (const id of ids) {
    const problem = check(files.get(id));
    if (problem !== undefined) report(problem, id);
  }
  return { problems, files: ids.flatMap((id) => files.get(id) ?? []) };
}

/** The well-formed ids among the items; `refuse` gets the others. */
function idsOf(items: readonly unknown[], refuse: (item: unknown) => void): string[] {
  const ids: string[] = [];
  for (const item of items) {
    const id = normalizeFileId(item);
    if (id === undefined) refuse(item);
    else ids.push(id);
  }
  return ids;
}

/**
 * A check of a file's properties. A file that the actor may not see is treated as missing, so that nothing about it is
 * revealed. A file that a claim of the field takes, or is to refuse when the record is known, is left to the claim.
 */
function checkOf(problem: FileProblem, isFine: (file: SeenFile) => boolean): FileRule['checker'] {
  return (_, claims) => (file) => {
    if (!file) return UNAVAILABLE;
    const isTaken = claims.some(({ allowUnowned }) => allowUnowned && file.ownerType === null);
    if (file.sight === 'shown' || isTaken) return isFine(file) ? undefined : problem;
    const isLeft = file.sight === 'unknown' && claims.some(({ ownerType }) => ownerType === file.ownerType);
    return isLeft ? undefined : UNAVAILABLE;
  };
}

const UPPER_CASE = /[A-F]/;

/**
 * The ids of a field as files have them, in lower case: another spelling would be another text in the application's own
 * column.
 */
export function normalized(value: unknown): unknown {
  if (Array.isArray(value)) return value.some(isAnother) ? value.map((item) => normalized(item)) : value;
  if (value instanceof Set)
    return [...value].some(isAnother) ? new Set([...value].map((item) => normalized(item))) : value;
  return isAnother(value) ? normalizeFileId(value) : value;
}

function isAnother(value: unknown): boolean {
  return typeof value === 'string' && UPPER_CASE.test(value) && isFileId(value);
}

/** The ids that are there more than once. */
function repeatedIn(ids: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(ids.filter((id) => seen.has(id) || !seen.add(id)));
}

export const FILE_EXISTS: FileRule = {
  name: 'fileExists',
  constraints: [],
  checker: checkOf(UNAVAILABLE, () => true),
};

export function maxFileSizeRule(maxSize: number | string): FileRule {
  const bytes = parseByteSize(maxSize);
  const shown = typeof maxSize === 'number' ? `${maxSize} bytes` : maxSize;
  return {
    name: 'maxFileSize',
    constraints: [maxSize],
    checker: checkOf({ code: 'FILE_SIZE', constraint: shown }, ({ size }) => size <= bytes),
  };
}

/** The rule, as `declaredBy` states it; throws for an invalid value. */
export function acceptFileStorageRule(storages: readonly string[], declaredBy: string): FileRule {
  if (storages.length === 0) throw new DecorationInvalidError(declaredBy, 'a property', 'it names no storage.');
  const accepted = storages.join(', ');
  return {
    name: 'acceptFileStorage',
    constraints: [accepted],
    checker: checkOf({ code: 'FILE_STORAGE', constraint: accepted }, ({ storage }) => storages.includes(storage)),
  };
}

/** The rule, as `declaredBy` states it; throws for an invalid value. */
export function acceptFileTypeRule(types: readonly string[], declaredBy: string): FileRule {
  const wrong = types.find((type) => !isContentTypePattern(type));
  if (types.length === 0 || wrong !== undefined) {
    const why =
      wrong === undefined ? 'it names no type.' : `"${wrong}" is not a content type. Use 'text/csv', 'image' or 'csv'.`;
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

/** Takes the options off the end of a list of texts. */
export function splitOptions<Options extends object>(args: readonly (string | Options)[]): [string[], Options?] {
  const texts = args.filter((arg) => typeof arg === 'string');
  return [texts, args.find((arg) => typeof arg !== 'string')];
}

/** Reads the `maxFiles` that `declaredBy` was given; throws for an invalid value. */
export function readMaxFiles(maxFiles: number | undefined, declaredBy: string): number | undefined {
  if (maxFiles === undefined || isMaxFiles(maxFiles)) return maxFiles;
  const why = `maxFiles must be a whole number above 0, or Infinity, and is ${String(maxFiles)}.`;
  throw new DecorationInvalidError(declaredBy, 'a property', why);
}
