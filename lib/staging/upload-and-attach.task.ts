import { TaskQueueMissingError } from '../errors/units.errors.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { currentQueue, BatchTask, type TaskBatch } from '../task-queue/unit-queue.js';
import { attachUploads } from './attach-uploads.js';
import type { AttachmentTarget } from './attachment.js';
import { StatedAttachment } from './stated-attachment.js';
import type { UploadAndAttachOptions } from './stated-attachment.js';
import type { StagedFile } from './staged-file.js';

/**
 * Makes a staged file the file of an entity of the result: its row is written with its owner, pinned, and its id or address into the
 * owner's field where one is named. Adjacent tasks are one batch. Returns the file.
 * @example queue.add(new UploadAndAttachTask(staged, 'package', { field: 'coverId' }));
 */
export class UploadAndAttachTask extends BatchTask {
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

  /** Attaches this file alone. */
  async run(): Promise<ManagedFile> {
    const queue = currentQueue();
    if (!queue) throw new TaskQueueMissingError(TaskQueueMissingError.remedy('An upload was attached'));
    const [file] = await attachUploads([this], queue);
    return file as ManagedFile;
  }

  /** @internal */
  get batch(): TaskBatch<UploadAndAttachTask> {
    return UPLOADS;
  }
}

const UPLOADS: TaskBatch<UploadAndAttachTask> = { run: attachUploads };
