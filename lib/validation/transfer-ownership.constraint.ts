import type { ValidationArguments } from 'class-validator';
import type { FieldProblem } from '../errors/file-problem.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import type { IdField } from '../ownership/id-field.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { fileConstraint } from './file-constraint.js';
import type { FileFieldValidationOptions } from './file-constraint.js';
import { customMessage, describeProblems, problemsOf } from './problems.js';
import { readTransferTerms } from './rules/transfer-options.js';
import type { TransferOwnershipOptions } from './rules/transfer-options.js';
import { REFUSALS, transferRule } from './rules/transfer-ownership.rule.js';

/** Decorates a property of the DTO; a method, so that it is a `PropertyDecorator` whatever the DTO is. */
type FieldOf<Dto> = { decorate(target: Dto, property: string | symbol): void }['decorate'];

const NAME = '@TransferOwnership';

/**
 * The file, or the files, that the field names become the saved entity's in the same commit, and are pinned there. The actor has to
 * own them. Goes with `@WithTaskQueue()` on the handler.
 * @example \@TransferOwnership('package') attachmentId!: string;
 * @example \@TransferOwnership('package', ['..', 'id']) fileId!: string; // the parent of the resource owns it
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export function TransferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  validationOptions: FileFieldValidationOptions = {},
): FieldOf<Dto> {
  const terms = readTransferTerms(ownerType, options, NAME);
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
