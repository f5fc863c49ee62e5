import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { assertOwnerReference } from '../../files/owner-reference.js';
import type { OwnerEntity, OwnerTypeName } from '../../files/owner-type-name.js';
import { idSteps } from '../../ownership/id-field.js';
import type { IdField } from '../../ownership/id-field.js';

/** How `@TransferOwnership()` and `transferOwnership()` find the owner, and which files they take. */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export interface TransferOwnershipOptions<T extends OwnerTypeName = OwnerTypeName, Result = OwnerEntity<T>, Dto = any> {
  /** Where the owner's id is in the result: a name, or steps of which `'..'` goes to the parent object. @default 'id' */
  idField?: IdField;
  /**
   * The owner, or its id, for results that do not show the file. The result is taken to be the owner unless the function says what it
   * is. @default the entity of the result that holds the file
   */
  owner?: (result: Result, dto: Dto) => OwnerEntity<T> | string | number | null | undefined;
  /** Takes files that nobody owns, too. @default false */
  allowUnowned?: boolean;
  /**
   * Asks the owner's policy whether the actor may `update` the record, in its state before the handler changed it. Records that the call inserts
   * are not asked about. Its class needs `@FileField()`. @default the module's `validation.authorize`
   */
  authorize?: boolean;
}

/** The options, read. */
export interface TransferTerms {
  readonly ownerType: string;
  readonly steps: readonly string[];
  readonly owner: ((result: never, dto: never) => unknown) | undefined;
  readonly allowUnowned: boolean;
  readonly authorize: boolean | undefined;
}

/** Reads what `declaredBy` was given; throws where that makes no sense. */
export function readTransferTerms(
  ownerType: string,
  given: IdField | TransferOwnershipOptions,
  declaredBy: string,
): TransferTerms {
  assertOwnerReference({ type: ownerType, id: 'any' });
  const options: TransferOwnershipOptions = typeof given === 'string' || isSteps(given) ? { idField: given } : given;
  const { idField = 'id', owner, allowUnowned = false, authorize, ...unknown } = options;
  const refuse = (why: string) => new DecorationInvalidError(`${declaredBy}()`, 'a property', why);
  const [name] = Object.keys(unknown);
  if (name === 'detached') {
    throw refuse("the entity says what becomes of replaced files: @FileField({ onReplace: 'delete' }) on its column.");
  }
  if (name !== undefined) throw refuse(`it has no option "${name}". Validation options are its third argument.`);
  const steps = idSteps(idField);
  if (steps.length === 0 || steps.at(-1) === '..' || steps.some((step) => typeof step !== 'string' || step === '')) {
    throw refuse(`idField ${JSON.stringify(idField)} does not lead to an id. Give a name, or steps like ['..', 'id'].`);
  }
  if (owner && steps.includes('..'))
    throw refuse("idField goes up with '..', but owner() gives the owner itself. Give one of them.");
  return { ownerType, steps, owner, allowUnowned, authorize };
}

function isSteps(given: IdField | TransferOwnershipOptions): given is readonly string[] {
  return Array.isArray(given);
}
