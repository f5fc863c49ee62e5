import { FilesInUseError, FilesNotOwnError } from '../../errors/ownership.errors.js';
import type { FilesError } from '../../errors/files-error.js';

/** The constraints that the triggers of `createGuards()` report as violated. */
export const GUARD_CONSTRAINTS = { notOwn: 'files_not_own', inUse: 'files_in_use' } as const;

/** The SQLSTATE of a violated check. */
export const GUARD_STATE = '23514';

interface Violation {
  readonly code?: string;
  readonly constraint?: string;
  readonly detail?: string;
}

/** The detail of the triggers' errors, as JSON. */
interface Detail {
  readonly entity: string;
  readonly ownerType: string;
  readonly ownerId: string | null;
  readonly field: string;
  readonly files: readonly string[];
}

/** The error of the library for a COMMIT that guards in the database refused; undefined for every other error. */
export function guardRefusal(error: unknown): FilesError | undefined {
  const { driverError } = (error ?? {}) as { driverError?: Violation };
  const { code, constraint, detail = '' } = driverError ?? {};
  if (code !== GUARD_STATE || (constraint !== GUARD_CONSTRAINTS.notOwn && constraint !== GUARD_CONSTRAINTS.inUse)) {
    return undefined;
  }
  const { entity, ownerType, ownerId, field, files } = JSON.parse(detail) as Detail;
  const options = { cause: error };
  return constraint === GUARD_CONSTRAINTS.notOwn
    ? new FilesNotOwnError(entity, String(ownerId), field, files, options)
    : new FilesInUseError(files, { ownerType, ownerId: String(ownerId), field }, options);
}
