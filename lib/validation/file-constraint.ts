import { registerDecorator } from 'class-validator';
import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { readMaxFiles } from './max-files.js';
import { describeProblems } from './problems.js';
import { examine } from './rules/file-rule.js';
import type { FileRule, Found } from './rules/file-rule.js';

/** Options of a decorator for a field that names files: those of class-validator, and one more. */
export interface FileFieldValidationOptions extends ValidationOptions {
  /** How many files a list may name; longer lists are refused before the database is asked. @default the module's `validation.maxFiles` */
  maxFiles?: number;
}

/**
 * Makes the decorator of a rule. It is a plain object for class-validator, which needs no container, and works on a field with one
 * id, with several, and with `each`.
 */
export function fileConstraint(
  rule: FileRule<ValidationArguments>,
  given: FileFieldValidationOptions = {},
): PropertyDecorator {
  const { name, constraints } = rule;
  const { maxFiles, ...options } = given;
  const limit = readMaxFiles(maxFiles, `@${name.charAt(0).toUpperCase()}${name.slice(1)}()`);
  // By DTO and property: class-validator asks for the message later, and does not say which of the checks it is about.
  const found = new WeakMap<object, Map<string, Found>>();
  // With `each`, class-validator calls once for each item, with the same arguments: the first call checks the whole list for all of them.
  const lists = new WeakMap<ValidationArguments, Promise<boolean>>();

  function validate(declared: unknown, value: unknown, args: ValidationArguments): Promise<boolean> {
    const items = options.each ? itemsOf(args.value) : undefined;
    if (items === undefined) return check(args, misshape(declared, value), value);
    let answer = lists.get(args);
    if (answer === undefined) {
      const misshapen = items.some((item) => Array.isArray(item)) ? ONE_ID : undefined;
      lists.set(args, (answer = check(args, misshapen, items)));
    }
    return answer;
  }

  async function check(args: ValidationArguments, misshapen: string | undefined, value: unknown): Promise<boolean> {
    rule.begin?.(args);
    const problems: Found = misshapen ? new Map([[misshapen, []]]) : await problemsOf(rule, value, args, limit);
    if (problems.size === 0) return true;
    const fields = found.get(args.object) ?? new Map<string, Found>();
    found.set(args.object, fields.set(args.property, problems));
    return false;
  }

  function defaultMessage(args?: ValidationArguments): string {
    if (!args) return `$property: ${rule.noFile}`;
    const problems = found.get(args.object)?.get(args.property) ?? new Map([[rule.noFile, [args.value]]]);
    found.get(args.object)?.delete(args.property);
    return `$property: ${describeProblems(problems, itemsOf(args.value) !== undefined)}`;
  }

  return (target, property) => {
    const declared: unknown = Reflect.getMetadata('design:type', target, property);
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      async: true,
      constraints: [...constraints],
      options,
      validator: {
        validate: (value: unknown, args) => validate(declared, value, args as ValidationArguments),
        defaultMessage,
      },
    });
  };
}

const ONE_ID = 'Must be one file id, not a list';

/** What is wrong with one id for many, or many for one: the handler counts on the type that the field declares. */
function misshape(declared: unknown, value: unknown): string | undefined {
  if (declared === undefined) return undefined;
  // A union (`string[] | null`) shows up as Object, and is a list only with `each`.
  if (Array.isArray(value)) return declared === Array ? undefined : ONE_ID;
  return declared === Array && typeof value === 'string' ? 'Must be a list of file ids' : undefined;
}

/** What class-validator takes for a list with `each`. */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return value instanceof Set || value instanceof Map ? [...(value as Set<unknown>).values()] : undefined;
}

async function problemsOf(
  rule: FileRule<ValidationArguments>,
  value: unknown,
  args: ValidationArguments,
  maxFiles: number | undefined,
): Promise<Found> {
  const { problems, files } = await examine(rule, value, args, maxFiles);
  if (problems.size === 0 && files.length > 0) rule.accept?.(files, args);
  return problems;
}
