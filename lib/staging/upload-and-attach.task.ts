import type { ManagedFile } from '../files/managed-file.entity.js';
import { BatchTask, type TaskBatch } from '../task-queue/unit-queue.js';
import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { assertOwnerReference } from '../files/owner-reference.js';
import { idAt, idHolder, idSteps } from '../ownership/id-field.js';
import type { IdField } from '../ownership/id-field.js';
import type { CallOutcome } from '../ownership/call-outcome.js';
import { attachUploads } from './attach-uploads.js';
import type { AttachmentTarget, Attachment } from './attachment.js';
import type { StagedFile } from './staged-file.js';
import type { AttachAs } from './upload-rule.js';

/**
 * Makes a staged file the file of an entity of the result: its row is written with its owner, pinned, and its id or
 * address into the owner's field where one is named. Adjacent tasks are one batch. Returns the file.
 * @example queue.add(new UploadAndAttachTask(staged, 'package', { field: 'coverId' }));
 */
export class UploadAndAttachTask extends BatchTask<ManagedFile> {
  /** @internal */
  readonly target: AttachmentTarget;

  constructor(
    /** The file to attach. */
    readonly staged: StagedFile,
    /** The owner's type. */
    readonly ownerType: string,
    options: UploadAndAttachOptions | AttachmentTarget = {},
  ) {
    super();
    this.target = 'resolve' in options ? options : new StatedAttachment(staged, ownerType, options);
  }

  /** @internal */
  get batch(): TaskBatch<UploadAndAttachTask> {
    return UPLOADS;
  }
}

const UPLOADS: TaskBatch<UploadAndAttachTask> = { run: attachUploads };

const TASK = 'UploadAndAttachTask';

/** The owner of the file, and the value for the owner's field. */
export interface UploadAndAttachOptions {
  /** Where the owner's id is in the result: a name, or steps like `['package', 'id']`. @default 'id' */
  idField?: IdField;
  /** The value for `field`. @default 'id' */
  attachAs?: AttachAs;
  /** The property of the owner's entity that it is written into. @default nothing is written */
  field?: string;
}

/** An owner that the application stated, by a path into the result. */
class StatedAttachment implements AttachmentTarget {
  readonly #steps: readonly string[];

  constructor(
    private readonly staged: StagedFile,
    private readonly ownerType: string,
    private readonly options: UploadAndAttachOptions,
  ) {
    assertOwnerReference({ type: ownerType, id: 'any' });
    this.#steps = idSteps(options.idField ?? 'id');
  }

  resolve({ result }: CallOutcome): Attachment {
    const { attachAs = 'id', field } = this.options;
    const root = { object: result as object, parents: [] };
    const id = idAt(root, this.#steps);
    const where = JSON.stringify(this.#steps.join('.'));
    if (id === undefined) throw new OwnerNotResolvedError(TASK, this.staged.id, `the result has no id at ${where}`);
    return {
      owner: { type: this.ownerType, id },
      entities: [idHolder(root, this.#steps) as object],
      isChosen: true,
      claimants: [],
      place: TASK,
      attachAs,
      field,
      isStated: true,
      list: undefined,
    };
  }
}
