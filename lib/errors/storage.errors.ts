import { FilesError } from './files-error.js';
import { reasonOf } from './reason-of.js';

/** The adapter of the storage lacks the operation, or an option switches it off. */
export class CapabilityMissingError extends FilesError {
  readonly code = 'FILES_CAPABILITY_MISSING';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** The missing verbs: names of the members of an adapter. */
    readonly missing: readonly string[],
  ) {
    super(
      `Storage "${storage}" cannot ${missing.join(', ')}. Its adapter lacks the verb, or the option "disable" lists it.`,
    );
  }
}

/** A location that no storage may have, or that leads out of its storage. */
export class LocationInvalidError extends FilesError {
  readonly code = 'FILES_LOCATION_INVALID';

  constructor(
    /** Where in the storage. */
    readonly location: string,
    reason: string,
  ) {
    super(`Location ${JSON.stringify(location.slice(0, 200))} is refused: ${reason}.`);
  }
}

/** No bytes are at the location. */
export class LocationNotFoundError extends FilesError {
  readonly code = 'FILES_LOCATION_NOT_FOUND';

  constructor(
    /** Where in the storage. */
    readonly location: string,
    /** The storage's name. Adapters leave it out: it is filled in by the storage that they are in. */
    readonly storage = '(unnamed)',
    options?: ErrorOptions,
  ) {
    super(`Nothing is at location "${location}" of storage "${storage}".`, options);
  }

  /**
   * The same, of the storage with this name.
   * @internal
   */
  of(storage: string): LocationNotFoundError {
    return storage === this.storage ? this : new LocationNotFoundError(this.location, storage, this);
  }
}

/** The bytes at the location are being written or removed by the library. */
export class LocationPendingError extends FilesError {
  readonly code = 'FILES_LOCATION_PENDING';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
  ) {
    super(
      `Location "${location}" of storage "${storage}" is being written or removed. Try again after the next sweep.`,
    );
  }
}

/** The storage refuses to register the location, such as an address in a private network. The cause says why. */
export class LocationRefusedError extends FilesError {
  readonly code = 'FILES_LOCATION_REFUSED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    cause: Error,
  ) {
    super(`Storage "${storage}" refuses this location. ${cause.message}`, { cause });
  }
}

/** The bytes at the location are a file's already. */
export class LocationRegisteredError extends FilesError {
  readonly code = 'FILES_LOCATION_REGISTERED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** Where in the storage. */
    readonly location: string,
    options?: ErrorOptions,
  ) {
    super(`Location "${location}" of storage "${storage}" is registered already.`, options);
  }
}

/** Something is at the location already; bytes are never overwritten. */
export class LocationTakenError extends FilesError {
  readonly code = 'FILES_LOCATION_TAKEN';

  constructor(
    /** Where in the storage. */
    readonly location: string,
    /** The storage's name. Adapters leave it out: it is filled in by the storage that they are in. */
    readonly storage = '(unnamed)',
    options?: ErrorOptions,
  ) {
    super(
      `Location "${location}" of storage "${storage}" is taken. Choose another one: bytes are never overwritten.`,
      options,
    );
  }

  /**
   * The same, of the storage with this name.
   * @internal
   */
  of(storage: string): LocationTakenError {
    return storage === this.storage ? this : new LocationTakenError(this.location, storage, this);
  }
}

/** A storage failed, and the caller is not at fault. `cause` is the adapter's error. */
export class StorageFailedError extends FilesError {
  readonly code = 'FILES_STORAGE_FAILED';

  constructor(
    /** The storage's name. */
    readonly storage: string,
    /** The operation that failed. */
    readonly operation: string,
    /** Where in the storage. */
    readonly location: string,
    cause: unknown,
  ) {
    super(`Storage "${storage}" failed to ${operation} "${location}": ${reasonOf(cause)}.`, { cause });
  }
}

/** A storage was named that is not configured. */
export class StorageUnknownError extends FilesError {
  readonly code = 'FILES_STORAGE_UNKNOWN';

  constructor(
    /** The name that was given. */
    readonly storage: string,
    /** The names of all storages. */
    readonly known: readonly string[],
  ) {
    super(`Storage "${storage}" is not configured. Known storages: ${known.join(', ')}.`);
  }
}
