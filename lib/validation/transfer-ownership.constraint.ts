import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { InvalidDecorationError } from '../errors/invalid-decoration.error.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import type { IdField } from '../ownership/id-field.js';
import { fileConstraint } from './file-constraint.js';
import { observeField } from './observe-field.js';
import { customMessage, describeProblems } from './problems.js';
import type { FileRule } from './rules/file-rule.js';
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
// oxlint-disable-next-line typescript/no-explicit-any -- the application writes the type of its own DTO here
export function TransferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  validationOptions: ValidationOptions = {},
): FieldOf<Dto> {
  const terms = readTransferTerms(ownerType, options, NAME);
  const { detached } = terms;
  const declaration = {};

  function messageFor(args: ValidationArguments) {
    const field: unknown = (args.object as Record<string, unknown>)[args.property];
    return (reason: keyof typeof REFUSALS, fileIds: readonly string[]): string =>
      customMessage(validationOptions.message, args) ??
      `${args.property}: ${describeProblems(new Map([[REFUSALS[reason], fileIds]]), Array.isArray(field))}`;
  }

  function assertObserved({ object, property }: ValidationArguments): void {
    if (observer.isOn(object.constructor, property)) return;
    throw new InvalidDecorationError(
      `${NAME}()`,
      `${object.constructor.name}.${property}`,
      `the class declares the inherited field anew, with a condition like @IsOptional() that hides null from detached: '${detached}'. Repeat @TransferOwnership() there.`,
    );
  }

  const rule = transferRule<ValidationArguments>(terms, {
    declaredBy: NAME,
    identity: () => declaration,
    message: messageFor,
  });
  const observed: FileRule<ValidationArguments> = {
    ...rule,
    accept(files, args) {
      if (detached !== 'keep') assertObserved(args);
      rule.accept?.(files, args);
    },
  };
  const observer = observeField((object, value, property) => {
    if (value === undefined) return;
    rule.see(value, { object, property, targetName: object.constructor.name, value, constraints: [ownerType] });
  }, validationOptions);
  const constraint = fileConstraint(observed, validationOptions);

  return (target, property) => {
    constraint(target as object, property);
    if (detached !== 'keep') observer.decorate(target as object, property);
  };
}
