import { FilesError } from './files-error.js';

/** An option of `FilesAudit.run()` cannot be honoured. */
export class AuditOptionError extends FilesError {
  readonly code = 'FILES_AUDIT_OPTION';

  constructor(
    /** The option's name. */
    readonly option: string,
    reason: string,
  ) {
    super(`FilesAudit option "${option}": ${reason}.`);
  }
}
