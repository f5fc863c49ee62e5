import { OwnerConflictError, OwnerNotFoundError } from '../../errors/ownership.errors.js';
import { FilesNotNamedError } from '../../errors/guard.errors.js';
import type { OwnerReference } from '../../files/owner-reference.js';
import { dtoPlaces, statedOwner } from '../owner-resolution.js';
import type { CallOutcome, FileClaim } from '../owner-resolution.js';
import type { RowOwners } from './row-owners.js';

/**
 * The owner whose row names the claimed file. Where several do, `queue.bind()` or the field's `owner` chooses one of them. Throws
 * `FilesNotNamedError` where no row does, or not that of the chosen one, and `OwnerNotFoundError` where the row was removed meanwhile.
 */
export function rowOwner(claim: FileClaim, outcome: CallOutcome, rows: RowOwners): OwnerReference {
  const { fileId, ownerType, dtoName, property } = claim;
  const owners = rows.of(fileId, ownerType);
  const received = outcome.hasBindings ? dtoPlaces(claim, outcome)[0]?.object : undefined;
  const stated = statedOwner(claim, received, outcome);
  const candidates = stated === undefined ? owners : owners.filter(({ id }) => id === stated);
  const [owner, ...others] = candidates;
  if (owner === undefined) {
    const gone = rows.vanished(fileId, ownerType);
    throw gone
      ? new OwnerNotFoundError(gone.type, gone.id)
      : new FilesNotNamedError(`${dtoName}.${property}`, fileId, ownerType);
  }
  if (others.length > 0) {
    throw new OwnerConflictError(
      fileId,
      owners.map(({ type, id }) => `${type} ${id}`),
    );
  }
  return owner;
}
