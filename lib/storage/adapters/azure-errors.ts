// Errors of the SDK are recognised by their fields: their classes would have to be imported, and of this SDK only types
// are.

interface AzureFault {
  statusCode?: unknown;
  code?: unknown;
  details?: { errorCode?: unknown };
}

const TAKEN = ['BlobAlreadyExists', 'ConditionNotMet', 'TargetConditionNotMet', 'PendingCopyOperation'];
const NO_CONTAINER = ['ContainerNotFound', 'ContainerBeingDeleted', 'ContainerDisabled'];

/** Whether Azure answered with this status. */
export function isStatus(error: unknown, status: number): boolean {
  return (error as AzureFault | undefined)?.statusCode === status;
}

/** Azure's code of the fault, such as `BlobNotFound`; answers to HEAD have it in a header only. */
export function codeOf(error: unknown): string {
  const { code, details } = error as AzureFault;
  return String(details?.errorCode ?? code);
}

/** Whether a blob is there already. */
export function isTaken(error: unknown): boolean {
  return (isStatus(error, 409) || isStatus(error, 412)) && TAKEN.includes(codeOf(error));
}

/** Whether somebody has a lease of the blob. */
export function isLeased(error: unknown): boolean {
  return isStatus(error, 412) && codeOf(error) === 'LeaseIdMissing';
}

/** Whether the container is not there. */
export function isWithoutContainer(error: unknown): boolean {
  return NO_CONTAINER.includes(codeOf(error));
}

/** Whether the container is there, and the blob is not. */
export function isMissing(error: unknown): boolean {
  return isStatus(error, 404) && !isWithoutContainer(error);
}

/** Whether the credential is wrong, or may not do that. */
export function isRefused(error: unknown): boolean {
  return isStatus(error, 401) || isStatus(error, 403);
}
