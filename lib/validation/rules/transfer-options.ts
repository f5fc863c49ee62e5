import { InvalidDecorationError } from '../../errors/invalid-decoration.error.js';
import { assertOwnerReference } from '../../files/owner-reference.js';
import type { OwnerEntity, OwnerTypeName } from '../../files/owner-type-name.js';
import type { DetachedPolicy } from '../../ownership/detached/detached-field.js';
import { idSteps } from '../../ownership/id-field.js';
import type { IdField } from '../../ownership/id-field.js';

/** How `@TransferOwnership()` and `transferOwnership()` find the owner, and which files they take. */
// oxlint-disable-next-line typescript/no-explicit-any -- the application writes the type of its own DTO here
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
   * What becomes of a file that the owner's field held before, when another file replaces it, the field is set to null, or a list loses
   * it: it stays the owner's, it becomes nobody's, or it is deleted with its bytes. A field that is not sent lets nothing go.
   * @default 'keep'
   */
  detached?: DetachedPolicy;
}

/** The options, read. */
export interface TransferTerms {
  readonly ownerType: string;
  readonly steps: readonly string[];
  readonly owner: ((result: never, dto: never) => unknown) | undefined;
  readonly allowUnowned: boolean;
  readonly detached: DetachedPolicy;
}

const DETACHED: readonly DetachedPolicy[] = ['keep', 'release', 'delete'];

/** Reads what `declaredBy` was given; throws where that makes no sense. */
export function readTransferTerms(
  ownerType: string,
  given: IdField | TransferOwnershipOptions,
  declaredBy: string,
): TransferTerms {
  assertOwnerReference({ type: ownerType, id: 'any' });
  const options: TransferOwnershipOptions = typeof given === 'string' || isSteps(given) ? { idField: given } : given;
  const { idField = 'id', owner, allowUnowned = false, detached = 'keep', ...unknown } = options;
  const refuse = (why: string) => new InvalidDecorationError(`${declaredBy}()`, 'a property', why);
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw refuse(`it has no option "${name}". Validation options are its third argument.`);
  const steps = idSteps(idField);
  if (steps.length === 0 || steps.at(-1) === '..' || steps.some((step) => typeof step !== 'string' || step === '')) {
    throw refuse(`idField ${JSON.stringify(idField)} does not lead to an id. Give a name, or steps like ['..', 'id'].`);
  }
  if (owner && steps.includes('..'))
    throw refuse("idField goes up with '..', but owner() gives the owner itself. Give one of them.");
  if (!DETACHED.includes(detached)) throw refuse(`detached must be one of ${DETACHED.join(', ')}.`);
  if (detached !== 'keep' && steps.length > 1) {
    throw refuse(
      `detached: '${detached}' needs the field to be the owner's own, but idField leads to another object, whose other parts may hold ` +
        'files in a field of this name, too.',
    );
  }
  return { ownerType, steps, owner, allowUnowned, detached };
}

function isSteps(given: IdField | TransferOwnershipOptions): given is readonly string[] {
  return Array.isArray(given);
}
