import { registerDecorator } from 'class-validator';
import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { UNAVAILABLE } from '../errors/file-problem.js';
import type { FileProblem, FieldProblem } from '../errors/file-problem.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { UPLOAD_AS } from '../staging/upload-rule.js';
import { rulesOf } from '../dto/dto-rules.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import type { IdField } from '../ownership/id-field.js';
import {
  readMaxFiles,
  checkFiles,
  normalized,
  FILE_EXISTS,
  maxFileSizeRule,
  acceptFileStorageRule,
  splitOptions,
  acceptFileTypeRule,
} from './rules/file-rule.js';
import type { FieldClaim, FileRule } from './rules/file-rule.js';
import { customMessage, describeProblems, noteProblems, problemsOf } from './problems.js';
import type { Problems } from './problems.js';
import { TRANSFER_OWNERSHIP, readTransferOptions, REFUSALS, transferRule } from './rules/transfer-ownership.rule.js';
import type { TransferOwnershipOptions } from './rules/transfer-ownership.rule.js';

/** Options of a decorator for a field that names files: those of class-validator, and one more. */
export interface FileFieldValidationOptions extends ValidationOptions {
  /**
   * How many files a list may name; longer lists are refused before the database is asked. @default the module's
   * `validation.maxFiles`
   */
  maxFiles?: number;
}

/**
 * Makes the decorator of a rule. It is a plain object for class-validator, which needs no container, and works on a
 * field with one id, with several, and with `each`.
 */
export function fileConstraint(
  rule: FileRule<ValidationArguments>,
  given: FileFieldValidationOptions = {},
): PropertyDecorator {
  const { name, constraints } = rule;
  const { maxFiles: limit, message: custom, context, ...options } = given;
  const maxFiles = readMaxFiles(limit, `@${name.charAt(0).toUpperCase()}${name.slice(1)}()`);
  // By DTO and property: class-validator asks for the message later, and does not say which of the checks it is about.
  const found = new WeakMap<object, Map<string, Problems>>();
  // With `each`, class-validator calls once for each item, with the same arguments: the first call checks the whole
  // list for all of them.
  const lists = new WeakMap<ValidationArguments, Promise<boolean>>();
  let last: Problems = new Map();

  function validate(declared: unknown, value: unknown, args: ValidationArguments): Promise<boolean> {
    const items = options.each ? itemsOf(args.value) : undefined;
    if (items === undefined) return check(args, misshape(declared, value), value);
    let answer = lists.get(args);
    if (answer === undefined) {
      const misshapen = items.some((item) => Array.isArray(item)) ? ONE_FILE : undefined;
      lists.set(args, (answer = check(args, misshapen, items)));
    }
    return answer;
  }

  async function check(
    args: ValidationArguments,
    misshapen: FileProblem | undefined,
    value: unknown,
  ): Promise<boolean> {
    rule.begin?.(args);
    const { problems, files } = misshapen
      ? { problems: problemsOf(misshapen), files: [] }
      : await checkFiles(rule, value, args, { claims: claimsOf(args), maxFiles });
    if (problems.size === 0) {
      normalize(args);
      if (files.length > 0) rule.accept?.(files, args);
      return true;
    }
    const fields = found.get(args.object) ?? new Map<string, Problems>();
    found.set(args.object, fields.set(args.property, problems));
    return false;
  }

  function message(args: ValidationArguments): string {
    last = found.get(args.object)?.get(args.property) ?? problemsOf(rule.noFile ?? UNAVAILABLE, [args.value]);
    found.get(args.object)?.delete(args.property);
    const { messages } = TransferRuntime.validation();
    const text = customMessage(custom, args);
    const said = text ?? `${args.property}: ${describeProblems(last, itemsOf(args.value) !== undefined, messages)}`;
    noteProblems(last, args.property, said);
    return said;
  }

  return (target, property) => {
    const declared: unknown = Reflect.getMetadata('design:type', target, property);
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      async: true,
      constraints: [...constraints],
      options: { ...options, message, context: contextOf(context, () => last) },
      validator: {
        validate: (value: unknown, args) => validate(declared, value, args as ValidationArguments),
      },
    });
  };
}

/**
 * The object that class-validator puts into `ValidationError.contexts`, with the codes of the problems. It copies the
 * properties right after it has asked for the message.
 */
function contextOf(given: unknown, last: () => Problems): object {
  const codes = { enumerable: true, get: () => [...last().keys()] };
  return Object.defineProperty({ ...(given as object | undefined) }, 'codes', codes);
}

const CLAIMS: ReadonlySet<string> = new Set([TRANSFER_OWNERSHIP, UPLOAD_AS]);
const ONE_FILE: FileProblem = { code: 'ONE_FILE' };

/**
 * The problem if the value is one id and the field is declared as a list, or the reverse. The handler relies on the
 * declared type.
 */
function misshape(declared: unknown, value: unknown): FileProblem | undefined {
  if (declared === undefined) return undefined;
  // A union (`string[] | null`) shows up as Object, and is a list only with `each`.
  if (Array.isArray(value)) return declared === Array ? undefined : ONE_FILE;
  return declared === Array && typeof value === 'string' ? { code: 'LIST_OF_FILES' } : undefined;
}

/** The values that class-validator treats as a list with `each`. */
function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return value instanceof Set || value instanceof Map ? [...(value as Set<unknown>).values()] : undefined;
}

/** The handler gets the ids as files have them. */
function normalize({ object, property }: ValidationArguments): void {
  const values = object as Record<string, unknown>;
  const ids = normalized(values[property]);
  if (ids !== values[property]) values[property] = ids;
}

const claims = new WeakMap<object, Map<string, FieldClaim[]>>();

/** The claims of the field's decorators. */
function claimsOf({ object, property }: ValidationArguments): FieldClaim[] {
  const ofClass = claims.get(object.constructor) ?? new Map<string, FieldClaim[]>();
  let ofField = ofClass.get(property);
  if (!ofField) {
    ofField = rulesOf(object.constructor).flatMap(({ name, propertyName, constraints }) =>
      CLAIMS.has(name ?? '') && propertyName === property ? [(constraints as [string, FieldClaim])[1]] : [],
    );
    claims.set(object.constructor, ofClass.set(property, ofField));
  }
  return ofField;
}

/** The field names a file that exists, or a list of such. */
export function FileExists(options?: FileFieldValidationOptions): PropertyDecorator {
  return fileConstraint(FILE_EXISTS, options);
}

/**
 * The field names files of at most this size: bytes, or a text like `'10MiB'`. Throws `ByteSizeInvalidError` for
 * anything else.
 */
export function MaxFileSize(maxSize: number | string, options?: FileFieldValidationOptions): PropertyDecorator {
  return fileConstraint(maxFileSizeRule(maxSize), options);
}

/** The field names files in these storages. Validation options may come last. */
export function AcceptFileStorage(
  ...args: [name: string, ...more: (string | FileFieldValidationOptions)[]]
): PropertyDecorator {
  const [storages, options] = splitOptions(args);
  return fileConstraint(acceptFileStorageRule(storages, '@AcceptFileStorage()'), options);
}

/**
 * The field names files of these types: full types, main types or subtypes. Validation options may come last.
 * @example \@AcceptFileType('application/pdf', 'image') attachmentId?: string;
 */
export function AcceptFileType(
  ...args: [type: string, ...more: (string | FileFieldValidationOptions)[]]
): PropertyDecorator {
  const [types, options] = splitOptions(args);
  return fileConstraint(acceptFileTypeRule(types, '@AcceptFileType()'), options);
}

/**
 * The type of a decorator for a property of the DTO. It is that of a method, whose parameters TypeScript compares
 * loosely: so it is a `PropertyDecorator`, too.
 */
export type FieldOf<Dto> = { decorate(target: Dto, property: string | symbol): void }['decorate'];

const NAME = '@TransferOwnership';

/**
 * The saved entity becomes the owner of the files that the field names, in the same commit. The files are pinned. The
 * actor has to own them before. Needs `@WithTaskQueue()` on the handler.
 * @example \@TransferOwnership('package') attachmentId!: string;
 * @example \@TransferOwnership('package', ['..', 'id']) fileId!: string; // the parent of the resource owns it
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export function TransferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  validationOptions: FileFieldValidationOptions = {},
): FieldOf<Dto> {
  const terms = readTransferOptions(ownerType, options, NAME);
  const declaration = {};

  function messageFor(args: ValidationArguments) {
    const field: unknown = (args.object as Record<string, unknown>)[args.property];
    return (reason: keyof typeof REFUSALS, fileIds: readonly string[], way: string): FieldProblem => {
      const problem = REFUSALS[reason];
      const { messages } = TransferRuntime.validation();
      const text = describeProblems(problemsOf(problem, [...fileIds]), Array.isArray(field), messages);
      const message = customMessage(validationOptions.message, args) ?? `${args.property}: ${text}`;
      return { field: way + args.property, code: problem.code, message: way + message };
    };
  }

  const rule = transferRule<ValidationArguments>(terms, {
    declaredBy: NAME,
    identity: () => declaration,
    message: messageFor,
  });
  const constraint = fileConstraint(rule, validationOptions);
  return (target, property) => constraint(target as object, property);
}
