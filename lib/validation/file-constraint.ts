import { registerDecorator } from 'class-validator';
import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { normalizeFileId } from '../files/file-id.js';
import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import { EarlyCheck } from './early-check.js';
import { describeProblems } from './problems.js';

/** A rule about the file, or each of the files, that a field names. */
export interface FileRule {
  /** What class-validator calls it. */
  readonly name: string;
  /** What `$constraint1` stands for in messages. */
  readonly constraints: readonly unknown[];
  /** What is wrong with a value that is no file's id. */
  readonly noFile: string;
  /** Called before anything else; throws where the rule cannot be checked. */
  begin?(args: ValidationArguments): void;
  /** What is wrong with the file, if anything. */
  check(file: FileSnapshot | undefined, args: ValidationArguments): string | undefined | Promise<string | undefined>;
  /** What is wrong with a list that names a file twice; without it, that is fine. */
  readonly repeated?: string;
  /** Called when nothing is wrong with the files. */
  accept?(files: readonly FileSnapshot[], args: ValidationArguments): void;
}

type Found = Map<string, unknown[]>;

/**
 * Makes the decorator of a rule. It is a plain object for class-validator, which needs no container, and works on a field with one
 * id, with several, and with `each`. Anything but well-formed ids is refused before the database is asked.
 */
export function fileConstraint(rule: FileRule, options: ValidationOptions = {}): PropertyDecorator {
  const { name, constraints } = rule;
  // By DTO and property: class-validator asks for the message later, and does not say which of the checks it is about.
  const found = new WeakMap<object, Map<string, Found>>();

  async function validate(declared: unknown, value: unknown, args: ValidationArguments): Promise<boolean> {
    rule.begin?.(args);
    const misshapen = misshape(declared, value, options.each);
    const problems: Found = misshapen ? new Map([[misshapen, []]]) : await problemsOf(rule, value, args);
    if (problems.size === 0) return true;
    const fields = found.get(args.object) ?? new Map<string, Found>();
    found.set(args.object, fields);
    const earlier = options.each
      ? (fields.get(args.property) ?? new Map<string, unknown[]>())
      : new Map<string, unknown[]>();
    for (const [problem, ids] of problems) earlier.set(problem, [...(earlier.get(problem) ?? []), ...ids]);
    fields.set(args.property, earlier);
    return false;
  }

  function defaultMessage(args?: ValidationArguments): string {
    if (!args) return `$property: ${rule.noFile}`;
    const problems = found.get(args.object)?.get(args.property) ?? new Map([[rule.noFile, [args.value]]]);
    found.get(args.object)?.delete(args.property);
    return describeProblems('$property', problems, Array.isArray(args.value));
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

/**
 * What is wrong with one id for many, or many for one. The handler counts on the type that the field declares; a union
 * (`string[] | null`) shows up as Object, and is a list only with `each`.
 */
function misshape(declared: unknown, value: unknown, each = false): string | undefined {
  if (declared === undefined) return undefined;
  // With `each`, the value is an item.
  if (Array.isArray(value)) return declared === Array && !each ? undefined : 'Must be one file id, not a list';
  return declared === Array && !each && typeof value === 'string' ? 'Must be a list of file ids' : undefined;
}

async function problemsOf(rule: FileRule, value: unknown, args: ValidationArguments): Promise<Found> {
  const problems: Found = new Map();
  const report = (problem: string, id: unknown): unknown =>
    problems.set(problem, [...(problems.get(problem) ?? []), id]);
  const ids: string[] = [];
  for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
    // Ids are written in lower case; another spelling of one would be another text in the application's own column.
    if (typeof item === 'string' && normalizeFileId(item) === item) ids.push(item);
    else report(rule.noFile, item);
  }
  if (rule.repeated !== undefined) for (const id of repeatedIn(ids, value, args)) report(rule.repeated, id);
  if (problems.size > 0 || ids.length === 0) return problems;
  const check = EarlyCheck.current();
  const files = await Promise.all(ids.map((id) => check.find(id)));
  for (const [index, id] of ids.entries()) {
    const problem = await rule.check(files[index], args);
    if (problem !== undefined) report(problem, id);
  }
  const found = files.filter((file) => file !== undefined);
  if (problems.size === 0) rule.accept?.(found, args);
  return problems;
}

/** The ids that the field names more than once. With `each`, the value is one item, and the list is the field's. */
function repeatedIn(ids: readonly string[], value: unknown, { object, property }: ValidationArguments): string[] {
  const all: unknown = Array.isArray(value) ? value : (object as Record<string, unknown>)[property];
  if (!Array.isArray(all)) return [];
  const seen = new Set<unknown>();
  const twice = new Set(all.filter((id: unknown) => seen.has(id) || !seen.add(id)));
  return [...new Set(ids)].filter((id) => twice.has(id));
}
