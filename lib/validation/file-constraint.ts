import { registerDecorator } from 'class-validator';
import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { describeProblems } from './problems.js';
import { examine } from './rules/file-rule.js';
import type { FileRule, Found } from './rules/file-rule.js';

/**
 * Makes the decorator of a rule. It is a plain object for class-validator, which needs no container, and works on a field with one
 * id, with several, and with `each`.
 */
export function fileConstraint(
  rule: FileRule<ValidationArguments>,
  options: ValidationOptions = {},
): PropertyDecorator {
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
    return `$property: ${describeProblems(problems, Array.isArray(args.value))}`;
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

async function problemsOf(
  rule: FileRule<ValidationArguments>,
  value: unknown,
  args: ValidationArguments,
): Promise<Found> {
  // With `each`, the value is one item, and the list is the field's.
  const list = Array.isArray(value) ? (value as unknown[]) : (args.object as Record<string, unknown>)[args.property];
  const { problems, files } = await examine(rule, value, args, list);
  if (problems.size === 0 && files.length > 0) rule.accept?.(files, args);
  return problems;
}
