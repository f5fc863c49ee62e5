import { FilesError } from './files-error.js';

/** It cannot be told which entity of the result a file belongs to, so nothing was saved. A fault of the application. */
export class OwnerNotResolvedError extends FilesError {
  readonly code = 'FILES_OWNER_NOT_RESOLVED';

  constructor(
    /** The DTO and its field: `ResourceDto.fileId`; or the task. */
    readonly place: string,
    /** The file that was to get an owner; none where the field was emptied, and the file it held before is looked for. */
    readonly fileId: string | undefined,
    reason: string,
  ) {
    const question = fileId === undefined ? 'whose field was emptied' : `who becomes the owner of file ${fileId}`;
    super(
      `${place}: cannot tell ${question}: ${reason}. Say it: queue.bind(dto, entity) in the handler, ` +
        `or owner: (result, dto) => entity in the field's decorator; or return entities with the id and the field that names the file.`,
    );
  }
}
