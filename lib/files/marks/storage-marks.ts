import { AsyncLocalStorage } from 'node:async_hooks';
import { Inject, Injectable, Optional } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import type { DataSource, Repository } from 'typeorm';
import { StorageMarkMismatchedError } from '../../errors/setup.errors.js';
import type { MarkPlace } from '../../storage/mark-place.js';
import { StorageAdmission } from '../../storage/storage-admission.js';
import type { Storage } from '../../storage/storage.js';
import { databaseFault } from '../../unit-of-work/transaction/database-fault.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { databaseIdentity } from './database-identity.js';
import { ManagedFile } from '../managed-file.entity.js';
import { StorageMark } from './storage-mark.entity.js';
import { uuidV7 } from '../file-id.js';

/** The application's `installation` option. */
export const INSTALLATION = Symbol('INSTALLATION');

// One of the files that were stored last must exist, unless it is another place.
const FILES_TO_LOOK_FOR = 20;

interface Mark {
  /** The same in the database's row. */
  id: string;
  /** The identity of the database that the storage belongs to. */
  database: string;
}

/** Compares the marks of storages with those in the database, at boot; later the storages do so themselves. */
@Injectable()
export class StorageMarks extends StorageAdmission implements OnApplicationBootstrap {
  #waiting: readonly Storage[] = [];

  constructor(
    private readonly transactor: Transactor,
    @Optional() @Inject(INSTALLATION) private readonly installation?: string,
  ) {
    super();
  }

  async admit(storages: readonly Storage[]): Promise<void> {
    if (isUnmarked()) return;
    const { dataSource } = this.transactor;
    if (!dataSource.isInitialized) {
      this.#waiting = storages;
      return;
    }
    const marked = storages.filter(canBeMarked);
    const database = marked.length === 0 ? undefined : await databaseIdentity(dataSource, this.installation);
    if (database === undefined) return;
    for (const storage of marked) await new Admission(dataSource, storage, database).admit();
  }

  /** A data source that was not initialized before may be by now. */
  async onApplicationBootstrap(): Promise<void> {
    await this.admit(this.#waiting);
  }
}

/**
 * Marks the storage as this database's own, in place of any other mark: after the database, or the files, were moved or
 * restored. Every other database that used the place is refused from then on.
 * @example await adoptStorage(dataSource, 'default', fsStorage({ root: 'var/files' }))
 */
export async function adoptStorage(
  dataSource: DataSource,
  name: string,
  storage: Storage,
  { installation }: { installation?: string } = {},
): Promise<void> {
  storage.assignName(name);
  const database = await databaseIdentity(dataSource, installation);
  const place = storage.markPlace;
  if (!place || database === undefined) return;
  const mark = { id: uuidV7(), database };
  const known: StorageMark = { storage: name, mark: mark.id, markedAt: new Date() };
  await place.replace(write(mark));
  await dataSource.getRepository(StorageMark).save(known);
}

const unmarked = new AsyncLocalStorage<true>();

/**
 * Boots an application whose tables may be missing: storages are neither marked nor compared with their mark, so
 * nothing may change them.
 */
export function bootUnmarked<T>(boot: () => T): T {
  return unmarked.run(true, boot);
}

/** Whether the application is booted so. */
export function isUnmarked(): boolean {
  return unmarked.getStore() === true;
}

/** A storage that neither writes nor removes needs no mark: it can do no harm in another place. */
function canBeMarked(storage: Storage): boolean {
  const changes = storage.can('write') || storage.can('remove');
  return changes && storage.markPlace !== undefined;
}

class Admission {
  readonly #place: MarkPlace;
  readonly #rows: Repository<StorageMark>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly storage: Storage,
    private readonly database: string,
  ) {
    this.#place = storage.markPlace as MarkPlace;
    this.#rows = dataSource.getRepository(StorageMark);
  }

  async admit(): Promise<void> {
    const known = await this.#rows.findOneBy({ storage: this.storage.name });
    const text = await this.#place.read();
    const mark = text === undefined ? undefined : this.#parse(text);
    if (known) return this.#compare(known, mark, text);
    if (mark && mark.database !== this.database) throw this.#refuse(this.#anothers(mark));
    // Another process of this database may be marking it now, or have ended before it wrote the row.
    const id = mark?.id ?? (await this.#markFirst());
    if (id !== undefined) await this.#know(id);
    return this.admit();
  }

  #compare(known: StorageMark, mark: Mark | undefined, text = ''): void {
    if (!mark)
      throw this.#refuse(
        `it has no mark, and the database knows it as ${known.mark}. Is it mounted, and are its files there?`,
      );
    if (mark.database !== this.database) throw this.#refuse(this.#anothers(mark));
    if (mark.id !== known.mark)
      throw this.#refuse(`it is marked as ${mark.id}, and the database knows this storage as ${known.mark}.`);
    this.storage.expectMark(text);
  }

  /** The id, unless another process was faster. */
  async #markFirst(): Promise<string | undefined> {
    if (await this.#lacksFiles())
      throw this.#refuse('none of the files is there that the database has in it. Is it mounted?');
    const mark = { id: uuidV7(), database: this.database };
    try {
      return (await this.#place.create(write(mark))) ? mark.id : undefined;
    } catch (error) {
      throw new StorageMarkMismatchedError(
        this.storage.name,
        this.#place.place,
        `it has no mark, and none can be written: ${String(error)}. Where it is read only, give the storage ` +
          "`disable: ['write', 'remove']`, or start once where it is not.",
        { cause: error },
      );
    }
  }

  /** Whether the database has files in the storage, but none of them exists there. */
  async #lacksFiles(): Promise<boolean> {
    const { name } = this.storage;
    const files = await this.dataSource.getRepository(ManagedFile).find({
      select: { id: true, location: true },
      where: { storage: name },
      order: { id: 'DESC' },
      take: FILES_TO_LOOK_FOR,
    });
    if (files.length === 0 || !this.storage.can('stat')) return false;
    for (const { location } of files) if (await this.storage.exists(location)) return false;
    return true;
  }

  async #know(mark: string): Promise<void> {
    try {
      await this.#rows.insert({ storage: this.storage.name, mark, markedAt: new Date() });
    } catch (error) {
      // Another process was faster.
      if (databaseFault(error) !== 'unique') throw error;
    }
  }

  #parse(text: string): Mark {
    try {
      const { id, database } = JSON.parse(text) as Partial<Mark>;
      if (typeof id === 'string' && typeof database === 'string') return { id, database };
    } catch {
      // Said below.
    }
    throw this.#refuse('its mark cannot be read.');
  }

  #anothers({ database }: Mark): string {
    return (
      `it is marked as that of another database (${database}), and this is ${this.database}. ` +
      'If this database is a copy, configure a separate place for it.'
    );
  }

  #refuse(reason: string): StorageMarkMismatchedError {
    const { name } = this.storage;
    const adopt = `If this is the right place, adopt it: adoptStorage(dataSource, '${name}', storage).`;
    return new StorageMarkMismatchedError(name, this.#place.place, `${reason} ${adopt}`);
  }
}

function write(mark: Mark): string {
  return `${JSON.stringify(mark)}\n`;
}
