import { FilesError } from './files-error.js';

/** A storage was asked for what its adapter cannot do, or what its options switch off. */
export class CapabilityMissingError extends FilesError {
  readonly code = 'FILES_CAPABILITY_MISSING';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** The names of the capabilities. */
    readonly missing: readonly string[],
  ) {
    super(
      `Storage "${storage}" does not support ${missing.join(', ')}. Its adapter lacks it, or the option "disable" names it.`,
    );
  }
}
