import type { ValidationArguments, ValidationOptions } from 'class-validator';

/** What is wrong with a field, and with which of its ids. */
export type Problems = ReadonlyMap<string, readonly unknown[]>;

const MAX_LENGTH = 64;

/** `File is pinned`; of a list, with the ids: `File is pinned: 0199…, 019a…`. */
export function describeProblems(problems: Problems, isList: boolean): string {
  const texts = [...problems].map(([problem, ids]) =>
    isList && ids.length > 0 ? `${problem}: ${[...new Set(ids.map(shortened))].join(', ')}` : problem,
  );
  return texts.join('; ');
}

/** The message that the application gave for the constraint, as class-validator writes it; undefined where it gave none. */
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
