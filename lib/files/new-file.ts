import type { EntityManager } from 'typeorm';
import { LocationTakenError } from '../errors/storage.errors.js';
import { locationKey } from '../storage/location-key.js';
import { insertRow, insertRows } from './insert-row.js';
import { ManagedFile } from './managed-file.entity.js';
import type { ScanFields } from './scan/scan-state.js';
import type { OwnerReference } from './owner-reference.js';
import { databaseFault } from '../unit-of-work/transaction/database-fault.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';
import { uuidV7 } from './file-id.js';

/** The facts about a file once its bytes are stored. */
export type StoredFile = Pick<
  ManagedFile,
  'name' | 'storage' | 'location' | 'contentType' | 'charset' | 'size' | 'hash' | 'hashAlgorithm'
> &
  ScanFields;

/** The row of a file that is new: unpinned, with a fresh id unless it is known already. */
export function newFile(stored: StoredFile, owner: OwnerReference | null, id = uuidV7()): ManagedFile {
  return Object.assign(new ManagedFile(), stored, {
    id,
    locationKey: locationKey(stored.location),
    createdAt: new Date(),
    replacedAt: null,
    ownerType: owner?.type ?? null,
    ownerId: owner?.id ?? null,
    ownerField: null,
    pinned: false,
    expiresAt: null,
    storageData: null,
    metadata: null,
  });
}

/** Inserts the row of a file. */
export async function insertFile(manager: EntityManager, file: ManagedFile): Promise<void> {
  await insertRow(manager, ManagedFile, file);
}

// A row has 20 parameters. The lowest limit of the databases is 32766 parameters.
const ROWS_PER_STATEMENT = 1_000;

/** Inserts the rows of files, a thousand with each statement. */
export async function insertFiles(manager: EntityManager, files: readonly ManagedFile[]): Promise<void> {
  for (const chunk of inChunks(files, ROWS_PER_STATEMENT)) await insertRows(manager, ManagedFile, chunk);
}

/** As `insertFile`, for bytes that were stored for it; throws `LocationTakenError` if another file has the location. */
export async function insertStoredFile(manager: EntityManager, file: ManagedFile): Promise<void> {
  await orTaken(file, () => insertFile(manager, file));
}

/** As `insertStoredFile`, for several, a thousand with each statement. */
export async function insertStoredFiles(manager: EntityManager, files: readonly ManagedFile[]): Promise<void> {
  const [file, ...others] = files;
  if (file === undefined) return;
  if (others.length === 0) return insertStoredFile(manager, file);
  try {
    await insertFiles(manager, files);
  } catch (error) {
    if (databaseFault(error) !== 'unique') throw error;
    // PostgreSQL and MariaDB quote the key of the row.
    const { message, driverError } = error as { message: string; driverError?: { detail?: string } };
    const told = `${message} ${driverError?.detail ?? ''}`;
    const taken = files.find(({ locationKey: key }) => told.includes(key));
    const location = taken?.location ?? files.map((one) => one.location).join('" or "');
    throw new LocationTakenError(location, (taken ?? file).storage, { cause: error });
  }
}

/** Runs `insert`, which adds the row of a location; throws `LocationTakenError` where a unique index refuses it. */
export async function orTaken(
  { storage, location }: Pick<ManagedFile, 'storage' | 'location'>,
  insert: () => Promise<unknown>,
): Promise<void> {
  try {
    await insert();
  } catch (error) {
    if (databaseFault(error) !== 'unique') throw error;
    throw new LocationTakenError(location, storage, { cause: error });
  }
}
