import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { StorageRegistry } from '../storage/storage-registry.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { BatchMoves } from './batch-moves.js';
import { assertWhole, paceOf, readBulkOptions } from './bulk-options.js';
import type { BulkOptions } from './bulk-options.js';
import type { Pace } from './content/pace.js';
import { FileWriter } from './file-writer.js';
import { ManagedFile } from './managed-file.entity.js';
import { inLanes } from '../storage/in-lanes.js';
import { eachFile, searchWithin } from './search/each-file.js';

/**
 * The options of a move. After `signal` is aborted, no further file is copied; files already copied are still moved.
 */
export interface MoveFilesOptions extends BulkOptions {
  /**
   * At most so many files are moved in one commit, from 1 to 1000; fewer if they are large, or slow to copy.
   * @default 1000
   */
  batch?: number;
}

/** A file that is in the other storage now. */
export interface MovedFile {
  /** Tells it from the others. */
  readonly kind: 'moved';
  /** As it is now. */
  readonly file: ManagedFile;
}

/** A file that is still where it was. */
export interface UnmovedFile {
  /** Tells it from the others. */
  readonly kind: 'failed';
  /** As it was read before the move. */
  readonly file: ManagedFile;
  /** Why it could not be moved. */
  readonly error: unknown;
}

/** What became of one file. */
export type MoveOutcome = MovedFile | UnmovedFile;

// If a run ends early, little has been copied for nothing. A batch also stays far below the sweeper's `grace`.
const BYTES_IN_BATCH = 64 * 1024 * 1024;
// Callers hear of a batch only when it has ended, so a batch should take about a second. The first one is small.
const FIRST_BATCH = 100;
const SECOND = 1000;
// The statement that changes their rows has at most eighteen parameters for each, of the 32766 that a database takes at
// least.
const MOST_IN_BATCH = 1_000;

interface CheckedOptions extends MoveFilesOptions {
  readonly concurrency: number;
  readonly batch: number;
  readonly pace: Pace | undefined;
}

/** Moves the files of one storage to another, while the application runs. */
@Injectable()
export class FilesMover {
  /** @internal */
  constructor(
    private readonly writer: FileWriter,
    private readonly batches: BatchMoves,
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Moves each file as `FilesService.move()` does, some of them in one commit, and yields its outcome, in no particular
   * order. Files are read page by page, and bytes are streamed. A file that cannot be moved holds up no other. If a run
   * ends early, the next one goes on with the files that are still in the first storage. Leaving the loop ends the run
   * between two commits. Throws `MoveOptionInvalidError`, `SearchQueryInvalidError` for the filters, and
   * `CapabilityMissingError` where the first storage cannot read and remove, or the other cannot write.
   * @example
   * for await (const outcome of mover.run({ from: 'disk', to: 'bucket' }))
   *   if (outcome.kind === 'failed') console.error(outcome.error);
   */
  run(options: MoveFilesOptions): AsyncGenerator<MoveOutcome, void> {
    const checked = readBulkOptions(options);
    const { from, to, batch = MOST_IN_BATCH } = options;
    assertWhole('batch', batch, MOST_IN_BATCH);
    this.storages.get(from).require('read', 'remove');
    this.storages.get(to).require('write');
    // A wrong filter is found before the loop begins.
    searchWithin(this.transactor.dataSource, { storage: from }, options.filters);
    return this.#run({ ...checked, batch, pace: paceOf(options) });
  }

  /** In the order of their ids, which is the order in which they, or their direct uploads, were begun. */
  async *#run(options: CheckedOptions): AsyncGenerator<MoveOutcome, void> {
    const { from, to, filters, signal } = options;
    // A storage in the database takes bytes within the transaction of their row, from memory: one file at a time is
    // enough of it.
    const limit = this.storages.get(to).isTransactional ? 1 : options.batch;
    let most = Math.min(FIRST_BATCH, limit);
    let [batch, bytes]: [ManagedFile[], number] = [[], 0];
    for await (const file of eachFile(this.transactor.dataSource, { storage: from }, filters)) {
      signal?.throwIfAborted();
      batch.push(file);
      bytes += file.size;
      if (batch.length < most && bytes < BYTES_IN_BATCH) continue;
      const begun = performance.now();
      const outcomes = await this.#moveBatch(batch, options);
      const inSecond = Math.round((batch.length * SECOND) / (performance.now() - begun));
      most = Math.min(Math.max(inSecond, FIRST_BATCH), limit);
      yield* outcomes;
      [batch, bytes] = [[], 0];
    }
    signal?.throwIfAborted();
    if (batch.length > 0) yield* await this.#moveBatch(batch, options);
    signal?.throwIfAborted();
  }

  /** Moves the files in one commit; those that this commit cannot have, each in its own. Never rejects. */
  async #moveBatch(files: readonly ManagedFile[], options: CheckedOptions): Promise<MoveOutcome[]> {
    if (files.length === 1) return this.#moveAlone(files, options);
    const { to, concurrency, signal, pace } = options;
    try {
      const storage = this.storages.get(to);
      const { moved, uncopied, changed } = await detach(() =>
        this.batches.move(files, storage, { concurrency, signal, pace }),
      );
      const outcomes = moved.map((file): MoveOutcome => ({ kind: 'moved', file }));
      const again = [...changed];
      for (const { file, error } of uncopied) {
        // The copy may have failed because the file was replaced meanwhile. Then it is moved again.
        if (await this.#isAsRead(file)) outcomes.push({ kind: 'failed', file, error });
        else again.push(file);
      }
      return [...outcomes, ...(await this.#moveAlone(again, options))];
    } catch (error) {
      return this.#moveAfter(error, files, options);
    }
  }

  /**
   * One of the files may be the reason of the error, so each is tried alone, unless the database does not answer at
   * all.
   */
  async #moveAfter(error: unknown, files: readonly ManagedFile[], options: CheckedOptions): Promise<MoveOutcome[]> {
    let current: ManagedFile[];
    try {
      current = await this.#readAll(files.map(({ id }) => id));
    } catch {
      return files.map((file): MoveOutcome => ({ kind: 'failed', file, error }));
    }
    // The commit may have been done all the same.
    const moved = current.filter(({ storage }) => storage === options.to);
    const left = current.filter(({ storage }) => storage === options.from);
    const outcomes = moved.map((file): MoveOutcome => ({ kind: 'moved', file }));
    return [...outcomes, ...(await this.#moveAlone(left, options))];
  }

  async #moveAlone(
    files: readonly ManagedFile[],
    { to, concurrency, signal, pace }: CheckedOptions,
  ): Promise<MoveOutcome[]> {
    const outcomes = await inLanes(files, concurrency, async (file) =>
      signal?.aborted ? undefined : this.#move(file, to, pace),
    );
    return outcomes.filter((outcome) => outcome !== undefined);
  }

  /** Undefined if the file was deleted, or moved by another caller, since its page was read. Never rejects. */
  async #move(found: ManagedFile, to: string, pace?: Pace): Promise<MoveOutcome | undefined> {
    for (let file = found; ;) {
      try {
        const moved = file;
        return { kind: 'moved', file: await detach(() => this.writer.move(moved, to, pace)) };
      } catch (error) {
        const current = await this.#read(file.id).catch(() => file);
        if (current?.storage !== file.storage) return undefined;
        if (current.location === file.location) return { kind: 'failed', file, error };
        // The file was replaced since it was read, so the new content is moved.
        file = current;
      }
    }
  }

  /** Whether the file is where it was when it was read. */
  async #isAsRead({ id, storage, location }: ManagedFile): Promise<boolean> {
    const current = await this.#read(id).catch(() => undefined);
    return current === undefined || (current?.storage === storage && current.location === location);
  }

  async #read(id: string): Promise<ManagedFile | null> {
    const [file = null] = await this.#readAll([id]);
    return file;
  }

  #readAll(ids: readonly string[]): Promise<ManagedFile[]> {
    return detach(() => this.transactor.dataSource.getRepository(ManagedFile).findBy({ id: In([...ids]) }));
  }
}
