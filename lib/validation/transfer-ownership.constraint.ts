import type { ValidationArguments, ValidationOptions } from 'class-validator';
import { InvalidDecorationError } from '../errors/invalid-decoration.error.js';
import { OutOfQueueError } from '../errors/out-of-queue.error.js';
import { assertOwnerReference } from '../files/owner-reference.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import type { DetachedPolicy } from '../ownership/detached/detached-field.js';
import { queueDetached } from '../ownership/detached/detached-fields.task.js';
import { queueClaim } from '../ownership/file-claims.js';
import type { ClaimRefusal } from '../ownership/file-claims.js';
import { idSteps } from '../ownership/id-field.js';
import type { IdField } from '../ownership/id-field.js';
import { idsIn } from '../ownership/object-index.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { currentQueue } from '../task-queue/current-queue.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import { earlyRefusal } from './early-refusal.js';
import { fileConstraint } from './file-constraint.js';
import { observeField } from './observe-field.js';
import { customMessage, describeProblems } from './problems.js';

/** How `@TransferOwnership()` finds the owner, and which files it takes. */
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

/** Decorates a property of the DTO; a method, so that it is a `PropertyDecorator` whatever the DTO is. */
type FieldOf<Dto> = { decorate(target: Dto, property: string | symbol): void }['decorate'];

export const TRANSFER_OWNERSHIP = 'transferOwnership';

const REFUSALS: Record<ClaimRefusal, string> = { foreign: 'Is not an owner of the file', pinned: 'File is pinned' };
const NAME = '@TransferOwnership()';
const DETACHED: readonly DetachedPolicy[] = ['keep', 'release', 'delete'];

/**
 * The file, or the files, that the field names become the saved entity's in the same commit, and are pinned there. The actor has to
 * own them. Goes with `@WithTaskQueue()` on the handler.
 * @example \@TransferOwnership('package') attachmentId!: string;
 * @example \@TransferOwnership('package', ['..', 'id']) fileId!: string; // the parent of the resource owns it
 */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export function TransferOwnership<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: IdField | TransferOwnershipOptions<T, Result, Dto> = {},
  validationOptions: ValidationOptions = {},
): FieldOf<Dto> {
  assertOwnerReference({ type: ownerType, id: 'any' });
  const { steps, owner, allowUnowned, detached } = readOptions(options);
  const rule = {};
  const constraints = [ownerType];

  function messageFor(args: ValidationArguments) {
    const field: unknown = (args.object as Record<string, unknown>)[args.property];
    return (reason: ClaimRefusal, fileIds: readonly string[]): string =>
      customMessage(validationOptions.message, args) ??
      describeProblems(args.property, new Map([[REFUSALS[reason], fileIds]]), Array.isArray(field));
  }

  function fieldOf(dto: object, property: string) {
    return { dto, dtoName: dto.constructor.name, property, ownerType, idSteps: steps, owner, rule };
  }

  function assertObserved({ object, property }: ValidationArguments): void {
    if (observer.isOn(object.constructor, property)) return;
    throw new InvalidDecorationError(
      NAME,
      `${object.constructor.name}.${property}`,
      `the class declares the inherited field anew, with a condition like @IsOptional() that hides null from detached: '${detached}'. Repeat @TransferOwnership() there.`,
    );
  }

  const observer = observeField((dto, value, property) => {
    if (value === undefined || detached === 'keep') return;
    const queue = queueFor({ targetName: dto.constructor.name, property }, ownerType);
    const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
    queueDetached(
      queue,
      isEmpty ? { ...fieldOf(dto, property), detached, sent: value === null ? null : [] } : undefined,
    );
  }, validationOptions);

  const constraint = fileConstraint(
    {
      name: TRANSFER_OWNERSHIP,
      constraints,
      noFile: REFUSALS.foreign,
      repeated: 'A file is named twice',
      begin: (args) => void queueFor(args, ownerType),
      async check(file, args) {
        const runtime = TransferRuntime.of(queueFor(args, ownerType).unit.dataSource);
        const refusal = earlyRefusal(file, { ...(await runtime.actor()), ownerType, allowUnowned });
        return refusal && REFUSALS[refusal];
      },
      accept(files, args) {
        const queue = queueFor(args, ownerType);
        const field = fieldOf(args.object, args.property);
        if (detached !== 'keep') {
          assertObserved(args);
          queueDetached(queue, { ...field, detached, sent: sentIn(args) });
        }
        const claim = { ...field, allowUnowned, message: messageFor(args) };
        for (const file of files) queueClaim(queue, { ...claim, fileId: file.id, seen: file });
      },
    },
    validationOptions,
  );

  return (target, property) => {
    constraint(target as object, property);
    if (detached !== 'keep') observer.decorate(target as object, property);
  };
}

/** The ids in the field: with `each`, the value is only one of them. */
function sentIn({ object, property }: ValidationArguments): string[] {
  return idsIn((object as Record<string, unknown>)[property]);
}

function queueFor(
  { targetName, property }: Pick<ValidationArguments, 'targetName' | 'property'>,
  ownerType: string,
): UnitQueue {
  const queue = currentQueue();
  if (queue) return queue;
  throw new OutOfQueueError(
    `${targetName}.${property} has @TransferOwnership('${ownerType}') and was validated outside of a unit of work: the handler lacks ` +
      '@WithTaskQueue(). Put it there, or validate within TaskQueue.run().',
  );
}

function readOptions(given: IdField | TransferOwnershipOptions) {
  const options: TransferOwnershipOptions = typeof given === 'string' || isSteps(given) ? { idField: given } : given;
  const { idField = 'id', owner, allowUnowned = false, detached = 'keep', ...unknown } = options;
  const refuse = (why: string) => new InvalidDecorationError(NAME, 'a property', why);
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
  return { steps, owner, allowUnowned, detached };
}

function isSteps(given: IdField | TransferOwnershipOptions): given is readonly string[] {
  return Array.isArray(given);
}
