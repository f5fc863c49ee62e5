import { Inject, Injectable, Optional } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { FileStorageMissingError } from '../errors/files.errors.js';
import { StorageOptionInvalidError } from '../errors/setup.errors.js';
import { StorageUnknownError } from '../errors/storage.errors.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { StorageAdapter } from './storage-adapter.js';
import { StorageAdmission } from './storage-admission.js';
import { STORAGE_VERBS } from './storage-verbs.js';
import { Storage } from './storage.js';

/** The configured storages, by name. */
export const STORAGES = Symbol('STORAGES');

const MAX_NAME_LENGTH = 64;

/** The storages of the application, by name. */
@Injectable()
export class StorageRegistry implements OnModuleInit {
  readonly #storages: ReadonlyMap<string, Storage>;

  /** @internal */
  constructor(
    @Inject(STORAGES) storages: Record<string, Storage | StorageAdapter>,
    @Optional() private readonly transactor?: Transactor,
    @Optional() private readonly admission?: StorageAdmission,
  ) {
    this.#storages = new Map(Object.entries(storages).map(([name, given]) => [name, storageOf(name, given)]));
    for (const [name, storage] of this.#storages) {
      if (name.trim() !== name || name === '' || name.length > MAX_NAME_LENGTH) {
        throw new StorageOptionInvalidError(
          'storages',
          name,
          `a name of 1 to ${MAX_NAME_LENGTH} characters without space around it`,
        );
      }
      storage.assignName(name);
    }
  }

  /** The names of all storages, as configured. */
  get names(): string[] {
    return [...this.#storages.keys()];
  }

  /** The storage of that name; throws `StorageUnknownError`. */
  get(name: string): Storage {
    const storage = this.#storages.get(name);
    if (storage === undefined) throw new StorageUnknownError(name, this.names);
    return storage;
  }

  /**
   * The storage that has a file's bytes; throws `FileStorageMissingError`, which is the application's fault: clients did not name it.
   * @internal
   */
  of({ storage: name }: { storage: string }): Storage {
    const storage = this.#storages.get(name);
    if (storage === undefined) throw new FileStorageMissingError(name, this.names);
    return storage;
  }

  /** The storage, or `undefined`. */
  find(name: string): Storage | undefined {
    return this.#storages.get(name);
  }

  /** @internal */
  async onModuleInit(): Promise<void> {
    // First, so that a storage that is not admitted is not touched.
    await this.admission?.admit([...this.#storages.values()]);
    for (const storage of this.#storages.values()) await storage.connect({ dataSource: this.transactor?.dataSource });
  }
}

/** An adapter alone is a storage with the limits that hold unless others are set. */
function storageOf(name: string, given: Storage | StorageAdapter): Storage {
  if (given instanceof Storage) return given;
  const isAdapter = typeof given === 'object' && given !== null && STORAGE_VERBS.some((verb) => verb in given);
  if (isAdapter) return new Storage(given);
  throw new StorageOptionInvalidError(`storages.${name}`, given, 'a storage, like fsStorage({ root }), or an adapter');
}
