import type { ExecutionContext } from '@nestjs/common';
import { UploadNotTakenError } from '../errors/requests.errors.js';
import type { PreparedCall } from '../task-queue/call-preparation.js';
import { queueOf } from '../task-queue/unit-queue.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { StagedFile } from './staged-file.js';

const calls = new WeakMap<ExecutionContext, StagedFiles>();

/** The files that came with a route's call. */
export class StagedFiles implements PreparedCall {
  readonly #files = new Map<string, { file: StagedFile; field: string }>();

  private constructor() {}

  /** Begins the staged files of a call that is about to be made. */
  static open(context: ExecutionContext): StagedFiles {
    const files = new StagedFiles();
    calls.set(context, files);
    return files;
  }

  /** The staged files of the call to which the current unit of work belongs. */
  static current(): StagedFiles | undefined {
    let queue = queueOf(currentUnit());
    while (queue && queue.context === undefined) queue = queueOf(queue.unit.parent);
    return queue?.context && calls.get(queue.context);
  }

  /** Takes a file in; `field` is where it is in the form. */
  add(file: StagedFile, field: string): void {
    this.#files.set(file.id, { file, field });
  }

  find(id: string): StagedFile | undefined {
    return this.#files.get(id)?.file;
  }

  /** Throws if a file was sent for a field that was not validated: a record could name it although it is not saved. */
  beforeCommit(): void {
    for (const { file, field } of this.#files.values()) if (!file.isAttached) throw new UploadNotTakenError(field);
  }

  async end(): Promise<void> {
    await Promise.all([...this.#files.values()].map(({ file }) => file.end()));
  }
}

/**
 * The file that came with the current call under this id, before it is in any table, for handlers that read it.
 * `undefined` for ids of other files, and outside of the call's unit of work.
 * @example const { name, size } = findStagedFile(dto.coverId)!;
 */
export function findStagedFile(id: string): StagedFile | undefined {
  return StagedFiles.current()?.find(id);
}
