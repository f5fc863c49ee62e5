import { OwnerNotResolvedError } from '../errors/ownership.errors.js';
import { assertOwnerReference } from '../files/owner-reference.js';
import { idAt, idHolder, idSteps } from '../ownership/id-field.js';
import type { IdField } from '../ownership/id-field.js';
import type { CallOutcome } from '../ownership/owner-resolution.js';
import type { Attachment, AttachmentTarget } from './attachment.js';
import type { StagedFile } from './staged-file.js';
import type { AttachAs } from './upload-rule.js';

const TASK = 'UploadAndAttachTask';

/** Whose the file becomes, and what is written of it. */
export interface UploadAndAttachOptions {
  /** Where the owner's id is in the result: a name, or steps like `['package', 'id']`. @default 'id' */
  idField?: IdField;
  /** What is written into `field`. @default 'id' */
  attachAs?: AttachAs;
  /** The property of the owner's entity that it is written into. @default nothing is written */
  field?: string;
}

/** An owner that the application stated, by a path into the result. */
export class StatedAttachment implements AttachmentTarget {
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
      authorize: false,
      place: TASK,
      attachAs,
      field,
      isStated: true,
      list: undefined,
    };
  }
}
