/** The problem of a field that names files, or of one of its files. The codes are stable. */
export type FileProblemCode =
  /** The file is not there, or the actor may not see or give it: both read the same. */
  | 'FILE_UNAVAILABLE'
  /** A pin protects the file. */
  | 'FILE_PROTECTED'
  /** The file was not found clean yet, and the application takes only such files. */
  | 'FILE_PENDING'
  /** The file is infected, or could not be scanned. */
  | 'FILE_QUARANTINED'
  | 'FILE_NAMED_TWICE'
  | 'FILE_TYPE'
  | 'FILE_STORAGE'
  | 'FILE_SIZE'
  | 'TOO_MANY_FILES'
  /** A list came where one file is expected. */
  | 'ONE_FILE'
  /** One file came where a list is expected. */
  | 'LIST_OF_FILES'
  /** The field takes files of the form. */
  | 'UPLOAD_EXPECTED';

/** The problem. */
export interface FileProblem {
  /** Names the problem, for programs. */
  readonly code: FileProblemCode;
  /** The constraint of the field: types, storages, a size, or a number of files. */
  readonly constraint?: string | number;
}

/** Messages that replace the library's, by code. `$constraint1` is replaced by the constraint of the field. */
export type FileProblemMessages = Readonly<
  Partial<Record<FileProblemCode, string | ((problem: FileProblem) => string)>>
>;

/** A problem of a field, as it stands in the body of an answer. */
export interface FieldProblem {
  /** The way to the field: `resources.0.fileId`. */
  readonly field: string;
  /** Names the problem, for programs. */
  readonly code: FileProblemCode;
  /** The message, as it is among the body's. */
  readonly message: string;
}

const TEXTS: Readonly<Record<FileProblemCode, string>> = {
  FILE_UNAVAILABLE: 'The file does not exist, or you may not use it',
  FILE_PROTECTED: 'The file is protected and cannot be used here',
  FILE_PENDING: 'The file is still being checked. Try again in a moment',
  FILE_QUARANTINED: 'The file did not pass its check and cannot be used',
  FILE_NAMED_TWICE: 'The file is named twice',
  FILE_TYPE: 'File type must be one of $constraint1',
  FILE_STORAGE: 'File storage must be one of $constraint1',
  FILE_SIZE: 'File must not be larger than $constraint1',
  TOO_MANY_FILES: 'Must name at most $constraint1 files',
  ONE_FILE: 'Must be one file, not a list',
  LIST_OF_FILES: 'Must be a list of files',
  UPLOAD_EXPECTED: 'Must be an uploaded file',
};

/** The codes of all problems. */
export const FILE_PROBLEM_CODES = Object.keys(TEXTS) as readonly FileProblemCode[];

export const UNAVAILABLE: FileProblem = { code: 'FILE_UNAVAILABLE' };

/** What people read of the problem. */
export function problemText(problem: FileProblem, messages: FileProblemMessages = {}): string {
  const { code, constraint = '' } = problem;
  const text = messages[code] ?? TEXTS[code];
  return typeof text === 'function' ? text(problem) : text.replaceAll('$constraint1', () => String(constraint));
}
