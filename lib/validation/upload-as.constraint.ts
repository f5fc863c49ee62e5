import type { ValidationArguments } from 'class-validator';
import { In, IsNull, Not } from 'typeorm';
import type { EntityManager } from 'typeorm';
import { UNAVAILABLE } from '../errors/file-problem.js';
import type { FieldProblem, FileProblem } from '../errors/file-problem.js';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { TaskQueueMissingError } from '../errors/units.errors.js';
import type { Actor } from '../actor/actor.js';
import { normalizeFileId } from '../files/file-id.js';
import type { OwnerEntity, OwnerTypeName } from '../files/owner-type-name.js';
import { FileUpload } from '../files/uploads/file-upload.entity.js';
import { queueClaim } from '../ownership/file-claims.js';
import { wantChange } from '../ownership/guard/change-rights.js';
import { TransferRuntime } from '../ownership/transfer-runtime.js';
import { findStagedFile } from '../staging/staged-files.js';
import { queueUpload } from '../staging/upload-claims.js';
import { UPLOAD_AS } from '../staging/upload-rule.js';
import type { AttachAs, UploadRule } from '../staging/upload-rule.js';
import { currentQueue } from '../task-queue/unit-queue.js';
import type { UnitQueue } from '../task-queue/unit-queue.js';
import { earlyRefusal } from './early-check.js';
import type { SeenFile } from './early-check.js';
import { fileConstraint } from './file-constraints.js';
import type { FieldOf, FileFieldValidationOptions } from './file-constraints.js';
import { describeProblems, problemsOf } from './problems.js';
import { readTransferOptions } from './rules/transfer-ownership.rule.js';
import type { TransferOwnershipOptions } from './rules/transfer-ownership.rule.js';

/** The storage of the files of `@UploadAs()`, and the value for the field. */
export interface UploadAsOptions<
  T extends OwnerTypeName = OwnerTypeName,
  Result = OwnerEntity<T>,
  // oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
  Dto = any,
> extends Omit<TransferOwnershipOptions<T, Result, Dto>, 'allowUnowned'> {
  /**
   * Where the file goes. Its limits of size and type hold while it arrives. @default the `defaultStorage` of the module
   */
  storage?: string;
  /** The value for `field`: the file's id, or its address. @default 'id' */
  attachAs?: AttachAs;
  /**
   * The property of the owner's entity that it is written into. @default the decorated property, if the entity has it
   */
  field?: string;
}

const NAME = '@UploadAs';
const NO_UPLOAD: FileProblem = { code: 'UPLOAD_EXPECTED' };
const KINDS: readonly AttachAs[] = ['id', 'permanentLink'];

/**
 * The field receives a file, or several, with the other fields of a multipart form: stored before the transaction
 * opens, and the saved entity's own in the same commit. Pipes and the handler see the future id of the file. Needs
 * `@WithTaskQueue()` on the handler.
 * @example \@UploadAs('package', { storage: 'images' }) coverId?: string;
 * @example \@UploadAs('package', { attachAs: 'permanentLink', field: 'coverUrl' }) cover?: string;
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the application supplies its DTO's type here
export function UploadAs<T extends OwnerTypeName, Result = OwnerEntity<T>, Dto = any>(
  ownerType: T,
  options: UploadAsOptions<T, Result, Dto> = {},
  validationOptions: FileFieldValidationOptions = {},
): FieldOf<Dto> {
  return (dto, key) => {
    const target = dto as object;
    const rule = readRule(ownerType, options, String(key));
    constraintOf(rule, validationOptions)(target, key);
  };
}

function constraintOf(rule: UploadRule, validationOptions: FileFieldValidationOptions): PropertyDecorator {
  return fileConstraint(
    {
      name: UPLOAD_AS,
      constraints: [rule.ownerType, rule],
      noFile: NO_UPLOAD,
      begin: (args) => void queueFor(args, rule),
      checker: async (args) => {
        const { unit } = queueFor(args, rule);
        // Before any claim is made in the name of the actor: a failure to find out who it is ends the validation.
        const { actor } = await TransferRuntime.of(unit.dataSource).actor();
        const others = othersIn((args.object as Record<string, unknown>)[args.property]);
        if (others.length === 0 || rule.attachAs !== 'id')
          return (file) => refusalOf(file, { ...rule, property: args.property });
        const uploads = await finishedUploads(unit.manager, others);
        return (file) => refusalOf(file, { ...rule, property: args.property }, { actor, uploads });
      },
      accept(files, args) {
        const queue = queueFor(args, rule);
        const value: unknown = (args.object as Record<string, unknown>)[args.property];
        const list = Array.isArray(value) ? value.map((id: string) => findStagedFile(id) ?? id) : undefined;
        const claimant = wantChange(queue, rule.ownerType, rule.authorize, `${args.targetName}.${args.property}`);
        const claim = { ...claimOf(rule, args.object, args.property), claimant };
        for (const file of files) {
          const fileId = file.id;
          const staged = findStagedFile(fileId);
          if (staged) queueUpload(queue, staged, { ...claim, fileId, list });
          else queueClaim(queue, { ...claim, ...KEPT, message: keptMessage(args), fileId, seen: file });
        }
      },
    },
    validationOptions,
  );
}

/** A file that the record may have already, which only the drain can tell. */
const KEPT = { allowUnowned: false, isHidden: true };

/** The ids that the field names, without those of files that came with the call. */
function othersIn(value: unknown): unknown[] {
  const named = Array.isArray(value) ? (value as unknown[]) : [value];
  return named.filter((id) => typeof id === 'string' && !findStagedFile(id));
}

/**
 * The ids, of those that a field names, of completed uploads that the database still knows: they are those of their
 * files, too.
 */
async function finishedUploads(manager: EntityManager, value: unknown): Promise<ReadonlySet<string>> {
  const named = Array.isArray(value) ? (value as unknown[]) : [value];
  const ids = named.flatMap((id) => normalizeFileId(id) ?? []);
  if (ids.length === 0) return new Set();
  const rows = await manager.findBy(FileUpload, { id: In(ids), endedAt: Not(IsNull()) });
  return new Set(rows.map(({ id }) => id));
}

/** The actor of the call, and the uploads that have become files before it. */
interface Before {
  readonly actor: Actor | null;
  readonly uploads: ReadonlySet<string>;
}

/**
 * Why a file is refused early. It may have come with the call, or be one that the owner has, which only the drain can
 * tell. It may be the actor's own, if it was uploaded before, by a direct or resumable upload, to the storage of the
 * field.
 */
function refusalOf(
  file: SeenFile | undefined,
  { attachAs, ownerType, storage, field, property }: UploadRule & { property: string },
  before?: Before,
): FileProblem | undefined {
  if (file && findStagedFile(file.id)) return undefined;
  // A link does not say which file it was.
  if (attachAs !== 'id') return NO_UPLOAD;
  // The library writes only files that come with the call into a field of another name.
  const isUpload =
    file && before?.uploads.has(file.id) && field === property && (storage ?? file.storage) === file.storage;
  const actor = isUpload ? (before?.actor ?? null) : null;
  return earlyRefusal(file, { actor, isManager: false, ownerType, allowUnowned: false }) && UNAVAILABLE;
}

function keptMessage({ object, property }: ValidationArguments) {
  const isList = Array.isArray((object as Record<string, unknown>)[property]);
  return (_: unknown, fileIds: readonly string[], way: string): FieldProblem => {
    const { messages } = TransferRuntime.validation();
    const text = describeProblems(problemsOf(UNAVAILABLE, [...fileIds]), isList, messages);
    return { field: way + property, code: UNAVAILABLE.code, message: `${way}${property}: ${text}` };
  };
}

function claimOf(rule: UploadRule, dto: object, property: string) {
  const { ownerType, idSteps, owner, field } = rule;
  return { dto, dtoName: dto.constructor.name, property, heldAs: field, ownerType, idSteps, owner, rule };
}

function queueFor(
  { targetName, property }: Pick<ValidationArguments, 'targetName' | 'property'>,
  { ownerType }: UploadRule,
): UnitQueue {
  const queue = currentQueue();
  if (queue) return queue;
  throw new TaskQueueMissingError(
    `${targetName}.${property} has @UploadAs('${ownerType}') and was validated outside of a unit of work: the handler lacks ` +
      '@WithTaskQueue(). Put it there.',
  );
}

function readRule(ownerType: string, options: UploadAsOptions, property: string): UploadRule {
  const { storage, attachAs = 'id', field = property, ...ownerOptions } = options;
  const { steps, owner, authorize } = readTransferOptions(ownerType, ownerOptions, NAME);
  const refuse = (why: string) => new DecorationInvalidError(`${NAME}()`, property, why);
  if (!KINDS.includes(attachAs)) throw refuse(`attachAs must be one of ${KINDS.join(', ')}.`);
  if (typeof field !== 'string' || field === '') throw refuse('field must be the name of a property of the owner.');
  const isStated = options.attachAs !== undefined || options.field !== undefined;
  return { ownerType, idSteps: steps, owner, authorize, storage, attachAs, field, isStated };
}
