import { UNAVAILABLE } from '../../errors/file-problem.js';
import type { FileProblem } from '../../errors/file-problem.js';
import { TaskQueueMissingError } from '../../errors/units.errors.js';
import { queueClaim } from '../../ownership/file-claims.js';
import type { CheckedClaim, ClaimRefusal } from '../../ownership/file-claims.js';
import { wantChange } from '../../ownership/guard/change-rights.js';
import { TransferRuntime } from '../../ownership/transfer-runtime.js';
import { currentQueue } from '../../task-queue/unit-queue.js';
import type { UnitQueue } from '../../task-queue/unit-queue.js';
import { earlyRefusal } from '../early-check.js';
import type { FieldClaim, ValidatedField, FileRule } from './file-rule.js';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { assertOwnerReference } from '../../files/owner-reference.js';
import type { OwnerEntity, OwnerTypeName } from '../../files/owner-type-name.js';
import { idSteps } from '../../ownership/id-field.js';
import type { IdField } from '../../ownership/id-field.js';
import { carriesRule } from '../../dto/dto-rules.js';

export const TRANSFER_OWNERSHIP = 'transferOwnership';
export const REFUSALS: Record<ClaimRefusal, FileProblem> = {
  foreign: UNAVAILABLE,
  pinned: { code: 'FILE_PROTECTED' },
  pending: { code: 'FILE_PENDING' },
  quarantined: { code: 'FILE_QUARANTINED' },
};

/** How a kind of validation declares the rule. */
interface TransferDeclaration<Field extends ValidatedField> {
  /** What it is called there. */
  readonly declaredBy: string;
  /** Identifies the declaration, for all copies of the object. */
  identity(field: Field): object;
  /** The message of a late refusal of files of the field. */
  message(field: Field): CheckedClaim['message'];
}

/** Checks whether the actor may give the files away, and queues their transfer. */
export function transferRule<Field extends ValidatedField>(
  { ownerType, steps, owner, allowUnowned, authorize }: CheckedTransferOptions,
  { declaredBy, identity, message }: TransferDeclaration<Field>,
): FileRule<Field> {
  function queueFor({ targetName, property }: Field): UnitQueue {
    const queue = currentQueue();
    if (queue) return queue;
    throw new TaskQueueMissingError(
      `${targetName}.${property} has ${declaredBy}('${ownerType}') and was validated outside of a unit of work: the handler lacks ` +
        '@WithTaskQueue(). Put it there, or validate within TaskQueue.run().',
    );
  }

  return {
    name: TRANSFER_OWNERSHIP,
    // The second is for the other rules of the field.
    constraints: [ownerType, { ownerType, allowUnowned } satisfies FieldClaim],
    isOnce: true,
    begin: (field) => void queueFor(field),
    checker(field) {
      const runtime = TransferRuntime.of(queueFor(field).unit.dataSource);
      return runtime.actor().then((acting) => {
        const terms = { ...acting, ownerType, allowUnowned, attachPending: runtime.attachPending };
        return (file) => {
          const refusal = earlyRefusal(file, terms);
          return refusal && REFUSALS[refusal];
        };
      });
    },
    accept(files, field) {
      const queue = queueFor(field);
      const { object: dto, targetName: dtoName, property } = field;
      const rule = identity(field);
      const claimant = wantChange(queue, ownerType, authorize, `${dtoName}.${property}`);
      const said = message(field);
      for (const file of files) {
        // One literal for each file: spreading what they share took 35 µs for 100 files in a profile.
        queueClaim(queue, {
          fileId: file.id,
          dto,
          dtoName,
          property,
          ownerType,
          idSteps: steps,
          owner,
          rule,
          allowUnowned,
          claimant,
          seen: file,
          isHidden: file.sight !== 'shown',
          message: said,
        });
      }
    },
  };
}

/** How `@TransferOwnership()` and `transferOwnership()` find the owner, and which files they take. */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export interface TransferOwnershipOptions<T extends OwnerTypeName = OwnerTypeName, Result = OwnerEntity<T>, Dto = any> {
  /**
   * Where the owner's id is in the result: a name, or steps of which `'..'` goes to the parent object. @default 'id'
   */
  idField?: IdField;
  /**
   * The owner, or its id, for results that do not show the file. The result is taken to be the owner unless the
   * function says what it is. @default the entity of the result that holds the file
   */
  owner?: (result: Result, dto: Dto) => OwnerEntity<T> | string | number | null | undefined;
  /** Accepts unowned files, too. @default false */
  allowUnowned?: boolean;
  /**
   * Asks the owner's policy whether the actor may `update` the record, in its state before the handler changed it.
   * Records that the call inserts are not asked about. Its class needs `@FileField()`. @default the module's
   * `validation.authorize`
   */
  authorize?: boolean;
}

/** The options, read. */
interface CheckedTransferOptions {
  readonly ownerType: string;
  readonly steps: readonly string[];
  readonly owner: ((result: never, dto: never) => unknown) | undefined;
  readonly allowUnowned: boolean;
  readonly authorize: boolean | undefined;
}

/** Reads what `declaredBy` was given; throws for an invalid value. */
export function readTransferOptions(
  ownerType: string,
  given: IdField | TransferOwnershipOptions,
  declaredBy: string,
): CheckedTransferOptions {
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

/** Whether the class, or a class that its properties are validated as, has a field with `@TransferOwnership()`. */
export function carriesTransferOwnership(dtoClass: unknown): boolean {
  return carriesRule(dtoClass, ({ name }) => name === TRANSFER_OWNERSHIP);
}
