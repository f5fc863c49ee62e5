import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { problemText } from '../errors/file-problem.js';
import type { FileProblem, FileProblemCode, FileProblemMessages } from '../errors/file-problem.js';
import { currentCall } from '../actor/actor.js';

/** A problem, and the ids that have it: none for a problem of the field itself. */
export interface FoundProblem {
  readonly problem: FileProblem;
  readonly ids: unknown[];
}

/** The problem of a field, and the ids that have it. */
export type Problems = ReadonlyMap<FileProblemCode, FoundProblem>;

const MAX_LENGTH = 64;

/** Problems of a field as a whole, or of one of its ids. */
export function problemsOf(problem: FileProblem, ids: unknown[] = []): Problems {
  return new Map([[problem.code, { problem, ids }]]);
}

/** `The file is named twice`; of a list, with the ids: `The file is named twice: 0199…, 019a…`. */
export function describeProblems(problems: Problems, isList: boolean, messages: FileProblemMessages): string {
  const texts = [...problems.values()].map(({ problem, ids }) => {
    const text = problemText(problem, messages);
    return isList && ids.length > 0 ? `${text}: ${[...new Set(ids.map(shortened))].join(', ')}` : text;
  });
  return texts.join('; ');
}

/** Notes the problem behind a message about the field, for the answer to the call. */
export function noteProblems(problems: Problems, field: string, message: string): void {
  const call = currentCall();
  for (const code of problems.keys()) call?.problems.push({ field, code, message });
}

/**
 * The message that the application gave for the constraint, as class-validator writes it; undefined where it gave none.
 */
export function customMessage(message: ValidationOptions['message'], args: ValidationArguments): string | undefined {
  if (!message) return undefined;
  let text = typeof message === 'function' ? message(args) : message;
  args.constraints.forEach((constraint: unknown, index) => {
    text = text.replaceAll(`$constraint${index + 1}`, () => String(constraint));
  });
  if (typeof args.value === 'string') text = text.replaceAll('$value', () => args.value as string);
  return text.replaceAll('$property', () => args.property).replaceAll('$target', () => args.targetName);
}

function shortened(id: unknown): string {
  if (typeof id !== 'string') return typeof id === 'number' ? String(id) : typeof id;
  // oxlint-disable-next-line no-control-regex -- they must not reach a log
  const clean = id.replaceAll(/[\u0000-\u001f\u007f]/g, '�');
  return clean.length > MAX_LENGTH ? `${clean.slice(0, MAX_LENGTH - 1)}…` : clean;
}
