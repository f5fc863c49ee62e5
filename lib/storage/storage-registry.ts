import { Inject, Injectable, Optional } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { FileStorageMissingError } from '../errors/files.errors.js';
import { StorageOptionInvalidError } from '../errors/setup.errors.js';
import { StorageUnknownError } from '../errors/storage.errors.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { FileScanner } from './file-scanner.js';
import type { StorageAdapter } from './storage-adapter.js';
import { StorageAdmission } from './storage-admission.js';
import { STORAGE_VERBS } from './storage-verbs.js';
import { Storage } from './storage.js';

/** The configured storages, by name. */
export const STORAGES = Symbol('STORAGES');

/** The scanners of owner types, by their names: the option `scanning.owners`. */
export const OWNER_SCANNERS = Symbol('OWNER_SCANNERS');

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
    /** @internal */
    @Optional() @Inject(OWNER_SCANNERS) readonly ownerScanners: Readonly<Record<string, FileScanner>> = {},
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
      if (this.ownerTypesScanned.length > 0) assertNotPublic(storage, name);
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
   * The storage that has a file's bytes; throws `FileStorageMissingError`, which is the application's fault: clients
   * did not name it.
   * @internal
   */
  of({ storage: name }: { storage: string }): Storage {
    const storage = this.#storages.get(name);
    if (storage === undefined) throw new FileStorageMissingError(name, this.names);
    return storage;
  }

  /**
   * What scans the content of a file in this storage that has an owner of this type: the scanner of the storage, or
   * else of the owner type.
   * @internal
   */
  scannerFor(storage: string, ownerType: string | null | undefined): FileScanner | undefined {
    const isScanned = typeof ownerType === 'string' && Object.hasOwn(this.ownerScanners, ownerType);
    return this.of({ storage }).scanner ?? (isScanned ? this.ownerScanners[ownerType] : undefined);
  }

  /**
   * What scans the content of the file. An owner that has given it away has left it its scanner.
   * @internal
   */
  scannerOf({ storage, ownerType, scanner: name }: ScannedFile): FileScanner | undefined {
    const given = Object.values(this.ownerScanners).find((scanner) => scanner.name === name);
    return this.scannerFor(storage, ownerType) ?? given;
  }

  /**
   * The types of owners that have a scanner.
   * @internal
   */
  get ownerTypesScanned(): string[] {
    return Object.keys(this.ownerScanners);
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

interface ScannedFile {
  readonly storage: string;
  readonly ownerType: string | null;
  readonly scanner: string | null;
}

function assertNotPublic(storage: Storage, name: string): void {
  if (!storage.can('publicUrl')) return;
  const expected = `left out: the public addresses of storage "${name}" bypass it. Or add disable: ['publicUrl'] to the storage`;
  throw new StorageOptionInvalidError('scanning.owners', name, expected);
}

/** An adapter alone is a storage with the limits that hold unless others are set. */
function storageOf(name: string, given: Storage | StorageAdapter): Storage {
  if (given instanceof Storage) return given;
  const isAdapter = typeof given === 'object' && given !== null && STORAGE_VERBS.some((verb) => verb in given);
  if (isAdapter) return new Storage(given);
  throw new StorageOptionInvalidError(`storages.${name}`, given, 'a storage, like fsStorage({ root }), or an adapter');
}
