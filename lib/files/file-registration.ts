import { Inject, Injectable, Optional } from '@nestjs/common';
import { In } from 'typeorm';
import { ActorSource } from '../actor/actor.js';
import { LocationInvalidError, LocationRefusedError, LocationRegisteredError } from '../errors/storage.errors.js';
import { locationKey } from '../storage/location-key.js';
import type { ReadsTogether } from '../storage/reads-together.js';
import type { Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { databaseFault } from '../unit-of-work/transaction/database-fault.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import { examine } from './content/examine.js';
import { cleanFileName } from './file-name.js';
import type { ExistingFile } from './file-options.js';
import { DEFAULT_STORAGE } from './file-writer.js';
import { inLanes } from '../storage/in-lanes.js';
import { IntentJournal } from './intents/intent-journal.js';
import { ManagedFile } from './managed-file.entity.js';
import { insertFiles, newFile } from './new-file.js';
import type { StoredFile } from './new-file.js';
import { assertOwnerReference } from './owner-reference.js';
import type { OwnerReference } from './owner-reference.js';
import { OwnershipPort } from './ownership-port.js';
import { readContentType } from './read-content-type.js';
import { unscannedBy } from './scan/scan-state.js';
import type { ScanFields } from './scan/scan-state.js';
import { StoredHooks } from './stored/stored-hooks.js';

// Concurrent inserts of one location deadlock on MariaDB, although only one of them can succeed.
const REGISTER_RETRIES = 5;
const KEYS_PER_STATEMENT = 10_000;

/** Existing bytes, and values for the row of their file. */
interface Candidate {
  readonly storage: Storage;
  readonly location: string;
  readonly name: string;
  readonly contentType: string | undefined;
  readonly owner: OwnerReference | null;
}

/** Makes files of bytes that are in a storage. */
@Injectable()
export class FileRegistration {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly ownership: OwnershipPort,
    private readonly journal: IntentJournal,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Optional() private readonly hooks?: StoredHooks,
  ) {}

  /**
   * All of the files, in their order, or none. Bytes are read before the transaction; in it, a thousand files need as
   * many statements as one.
   */
  async registerAll(existing: readonly ExistingFile[], concurrency: number): Promise<ManagedFile[]> {
    const current = existing.some(({ owner }) => owner === undefined) ? await this.actors.current() : null;
    const candidates: Candidate[] = [];
    for (const one of existing) candidates.push(await this.#candidate(one, current));
    assertDistinct(candidates);
    // An early answer, before the bytes are read; the unique index decides.
    const [registered] = await this.#registered(candidates);
    if (registered) throw alreadyRegistered(registered);
    await this.#assertNoneGoing(candidates);
    const origins = new Set(candidates.map(({ storage }) => storage));
    const reads = new Map([...origins].map((from) => [from, from.beginReads()]));
    const files = await inLanes(candidates, concurrency, async (candidate) => {
      const { storage, name, owner } = candidate;
      const safety = unscannedBy(this.storages.scannerFor(storage.name, owner?.type));
      return newFile(
        { ...(await analyze(candidate, reads.get(storage))), ...safety, name, storage: storage.name },
        owner,
      );
    });
    try {
      await this.transactor.run(({ manager }) => this.#insert(manager, files, candidates), { retry: REGISTER_RETRIES });
    } catch (error) {
      if (databaseFault(error) !== 'unique') throw error;
      const [taken = candidates[0]] = await this.#registered(candidates);
      throw taken ? alreadyRegistered(taken, error) : error;
    }
    return files;
  }

  async #insert(
    manager: Parameters<typeof insertFiles>[0],
    files: readonly ManagedFile[],
    candidates: readonly Candidate[],
  ): Promise<void> {
    await insertFiles(manager, files);
    await this.ownership.onCreateAll(files, manager);
    // The insert waits for a deletion of a file at the same location, so that its intent is there by now.
    await this.journal.assertNonePending(manager, candidates);
    for (const file of files) await this.hooks?.run(file, 'register');
  }

  /**
   * Throws `LocationPendingError` if bytes are about to be removed. The removal could end while they are read, and then
   * no intent would tell of it when the row is inserted.
   */
  async #assertNoneGoing(candidates: readonly Candidate[]): Promise<void> {
    const removable = candidates.filter(({ storage }) => storage.can('remove'));
    if (removable.length === 0) return;
    await this.transactor.run(({ manager }) => this.journal.assertNonePending(manager, removable), {
      retry: REGISTER_RETRIES,
    });
  }

  async #candidate(
    { location, storage: named, name, contentType, owner }: ExistingFile,
    current: OwnerReference | null,
  ): Promise<Candidate> {
    const storage = this.storages.get(named ?? this.defaultStorage);
    storage.require('read');
    await unlessRefused(storage, () => storage.assertLocation(location));
    if (owner) assertOwnerReference(owner);
    return {
      storage,
      location,
      name: cleanFileName(name ?? storage.nameOf(location)),
      contentType: readContentType(contentType),
      owner: owner === undefined ? current : owner,
    };
  }

  /** The candidates at whose location there is a file already. One statement for each storage. */
  async #registered(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const files = this.transactor.dataSource.getRepository(ManagedFile);
    const found: Candidate[] = [];
    for (const storage of new Set(candidates.map((one) => one.storage.name))) {
      const own = new Map(
        candidates.filter((one) => one.storage.name === storage).map((one) => [locationKey(one.location), one]),
      );
      for (const keys of inChunks([...own.keys()], KEYS_PER_STATEMENT)) {
        const rows = await files.find({ select: { locationKey: true }, where: { storage, locationKey: In(keys) } });
        found.push(...rows.flatMap((row) => own.get(row.locationKey) ?? []));
      }
    }
    return found;
  }
}

function alreadyRegistered({ storage, location }: Candidate, cause?: unknown): LocationRegisteredError {
  return new LocationRegisteredError(storage.name, location, { cause });
}

/** Throws `LocationRegisteredError` where a location is given twice. */
function assertDistinct(candidates: readonly Candidate[]): void {
  const seen = new Set<string>();
  for (const candidate of candidates) {
    const key = JSON.stringify([candidate.storage.name, candidate.location]);
    if (seen.has(key)) throw alreadyRegistered(candidate);
    seen.add(key);
  }
}

/** The size, hash and type of the bytes at the location, all of which are read. */
async function analyze(
  { storage, location, name, contentType: declared }: Candidate,
  reads: ReadsTogether | undefined,
): Promise<Omit<StoredFile, 'name' | 'storage' | keyof ScanFields>> {
  const source = await unlessRefused(storage, () => storage.readTogether(location, reads));
  try {
    const { consume, contentType, charset, digest } = await examine(source, storage, { declared, name });
    await consume();
    return { location, contentType, charset, ...digest() };
  } finally {
    if ('destroy' in source) source.destroy();
  }
}

/** The caller named the location, so its refusal is the caller's error. */
async function unlessRefused<T>({ name }: Storage, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof LocationInvalidError ? new LocationRefusedError(name, error) : error;
  }
}
