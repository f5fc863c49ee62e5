import { Inject, Injectable, Optional } from '@nestjs/common';
import { In } from 'typeorm';
import type { EntityManager, FindOptionsWhere, SelectQueryBuilder } from 'typeorm';
import { FilesInUseError } from '../../errors/ownership.errors.js';
import { ShuttingDownError } from '../../errors/units.errors.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { detach } from '../../unit-of-work/scopes/ambient.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { lockRows } from '../../unit-of-work/typeorm/row-locks.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { notAfter } from '../columns.js';
import { ManagedFile } from '../managed-file.entity.js';
import { OwnershipPort } from '../ownership-port.js';
import { Drafts } from './drafts.js';

/** What became of expired drafts. */
export interface DraftsReport {
  /** Deleted files. */
  expired: number;
  /** Their bytes, which are removed after the commit. */
  bytes: number;
  /**
   * Files that a row of the application refers to although nobody has given them to it. They stay, and are no drafts
   * any more.
   */
  kept: number;
}

/** The options of a run that deletes expired drafts. */
export interface ExpireOptions {
  /** Ends the run between two commits: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each commit, with what has become of drafts so far. */
  onProgress?: (report: DraftsReport) => void;
}

/** Deletes one draft; decides what happens if that fails. */
type Attempt = (id: string, work: () => Promise<void>) => Promise<void>;

/** Chooses from the drafts that are due. */
type Which = (query: SelectQueryBuilder<ManagedFile>) => SelectQueryBuilder<ManagedFile>;

interface Batch {
  readonly report: DraftsReport;
  /** Where the next batch begins, if files of this one stay. */
  readonly last?: ManagedFile;
}

const BATCH = 100;
const RETRIES = 5;

/**
 * Deletes uploads that were never attached, once their time is over. The sweeper calls it. Several machines may do it
 * at once. A transfer that has begun wins: its file is passed over.
 */
@Injectable()
export class FilesDrafts {
  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly drafts: Drafts,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Whether the application has the option `drafts`. */
  get areOn(): boolean {
    return this.drafts.areOn;
  }

  /**
   * Deletes all drafts that have expired, in commits of a hundred. Nothing without the option `drafts`. It runs outside
   * of any unit of work. A draft that cannot be deleted does not keep the others: when these are deleted, it rejects
   * with the first error.
   */
  async expire({ signal, onProgress }: ExpireOptions = {}): Promise<DraftsReport> {
    const report: DraftsReport = { expired: 0, bytes: 0, kept: 0 };
    const errors: unknown[] = [];
    const attempt: Attempt = (_, work) => work().catch((error: unknown) => void errors.push(error));
    for (const storage of this.removableStorages()) {
      signal?.throwIfAborted();
      for await (const batch of this.batches(storage, attempt)) {
        addUp(report, batch);
        onProgress?.({ ...report });
        signal?.throwIfAborted();
      }
    }
    if (errors.length > 0) throw errors[0];
    return report;
  }

  /** The drafts that `expire()` would delete now, those first that expired first. */
  async preview({ limit = BATCH }: { limit?: number } = {}): Promise<ManagedFile[]> {
    const storages = this.removableStorages();
    // To TypeORM, 0 is no limit.
    if (storages.length === 0 || limit <= 0) return [];
    return detach(() =>
      this.transactor.dataSource.getRepository(ManagedFile).find({
        where: this.#areDue(storages),
        order: { expiresAt: 'ASC', id: 'ASC' },
        take: limit,
      }),
    );
  }

  /**
   * How many drafts `expire()` would delete now.
   * @internal
   */
  async count(): Promise<number> {
    const storages = this.removableStorages();
    return detach(() => this.transactor.dataSource.getRepository(ManagedFile).countBy(this.#areDue(storages)));
  }

  #areDue(storages: readonly string[]): FindOptionsWhere<ManagedFile> {
    return { storage: In(storages), expiresAt: notAfter(new Date(this.now())) };
  }

  /**
   * The names of the storages whose drafts can be deleted; none without the option.
   * @internal
   */
  removableStorages(): string[] {
    return this.drafts.areOn ? this.storages.names.filter((name) => this.storages.get(name).can('remove')) : [];
  }

  /**
   * Deletes the storage's expired drafts, in commits of `size` files, and yields what became of each batch. If that
   * fails, `attempt` deletes them one by one. A draft that cannot be deleted is left to the next run.
   * @internal
   */
  async *batches(storage: string, attempt: Attempt, size = BATCH): AsyncGenerator<DraftsReport, void> {
    let last: ManagedFile | undefined;
    for (;;) {
      const page: Which = (query) => behind(query.andWhere('file.storage = :storage', { storage }), last).limit(size);
      const batch = await detach(() => this.#deletePage(page, attempt));
      if (batch === undefined) return;
      last = batch.last ?? last;
      yield batch.report;
    }
  }

  async #deletePage(page: Which, attempt: Attempt): Promise<Batch | undefined> {
    let files: ManagedFile[];
    try {
      files = await this.#delete(page);
    } catch (error) {
      if (error instanceof ShuttingDownError) throw error;
      // One of them is in use, or cannot be deleted. Which one is not known; each for itself will tell.
      return this.#oneByOne(page, attempt);
    }
    return files.length === 0 ? undefined : { report: reportOf(files) };
  }

  /** Goes on behind the files, because those that cannot be deleted stay. */
  async #oneByOne(page: Which, attempt: Attempt): Promise<Batch | undefined> {
    const report: DraftsReport = { expired: 0, bytes: 0, kept: 0 };
    const due = await page(this.#due(this.transactor.dataSource.manager)).getMany();
    for (const { id } of due) await attempt(id, async () => addUp(report, await this.#deleteOne(id)));
    const last = due.at(-1);
    return last && { report, last };
  }

  async #deleteOne(id: string): Promise<DraftsReport> {
    try {
      return reportOf(await this.#delete((query) => query.andWhere('file.id = :id', { id })));
    } catch (error) {
      if (!(error instanceof FilesInUseError)) throw error;
      await this.transactor.dataSource.getRepository(ManagedFile).update({ id }, { expiresAt: null });
      return { expired: 0, bytes: 0, kept: 1 };
    }
  }

  #delete(which: Which): Promise<ManagedFile[]> {
    return this.transactor.run(
      async (unit) => {
        // A file that another transaction has locked is being attached, or deleted.
        const files = await lockRows(which(this.#due(unit.manager)), { skipLocked: true }).getMany();
        if (files.length > 0) await this.ownership.expire(files, unit);
        return files;
      },
      { retry: RETRIES },
    );
  }

  #due(manager: EntityManager): SelectQueryBuilder<ManagedFile> {
    return manager
      .createQueryBuilder(ManagedFile, 'file')
      .where('file.expiresAt <= :now', { now: this.now() })
      .orderBy('file.expiresAt')
      .addOrderBy('file.id');
  }
}

/** The drafts behind the last one of a page, in the order of their pages. */
function behind(query: SelectQueryBuilder<ManagedFile>, last: ManagedFile | undefined) {
  if (!last) return query;
  const { expiresAt, id } = last;
  return query.andWhere('(file.expiresAt > :last OR (file.expiresAt = :last AND file.id > :lastId))', {
    last: expiresAt?.getTime(),
    lastId: id,
  });
}

function reportOf(files: readonly ManagedFile[]): DraftsReport {
  return { expired: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0), kept: 0 };
}

function addUp(report: DraftsReport, more: DraftsReport): void {
  report.expired += more.expired;
  report.bytes += more.bytes;
  report.kept += more.kept;
}
