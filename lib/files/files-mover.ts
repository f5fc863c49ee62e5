import { Injectable } from '@nestjs/common';
import { MoveOptionInvalidError } from '../errors/setup.errors.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { FileWriter } from './file-writer.js';
import { ManagedFile } from './managed-file.entity.js';
import type { FileFilter } from './search/file-filter.js';
import { eachFile, searchWithin } from './search/each-file.js';

/** The options of a move. */
export interface MoveFilesOptions {
  /** The storage that the files are in. */
  from: string;
  /** The storage that they are moved to. */
  to: string;
  /** Moves only the files that match. @default all of the storage */
  filters?: FileFilter;
  /** How many files are moved side by side. @default 4 */
  concurrency?: number;
  /** Ends the run: moves in progress are finished, then the loop over it throws the signal's reason. */
  signal?: AbortSignal;
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

/** Moves the files of one storage to another, while the application runs. */
@Injectable()
export class FilesMover {
  /** @internal */
  constructor(
    private readonly writer: FileWriter,
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Moves each file as `FilesService.move()` does, in its own commit, and yields its outcome, in no particular order. Files are read page
   * by page, and bytes are streamed. If a run ends early, the next one goes on with the files that are still in the first storage. Leaving the
   * loop ends the run, once the moves in progress are finished. Throws `MoveOptionInvalidError`, `SearchQueryInvalidError` for the filters, and
   * `CapabilityMissingError` where the first storage cannot read and remove, or the other cannot write.
   * @example for await (const outcome of mover.run({ from: 'disk', to: 'bucket' })) if (outcome.kind === 'failed') console.error(outcome.error);
   */
  run(options: MoveFilesOptions): AsyncGenerator<MoveOutcome, void> {
    const { from, to, concurrency = 4 } = options;
    if (from === to) throw new MoveOptionInvalidError('to', `the files are in storage "${to}" already`);
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
      throw new MoveOptionInvalidError(
        'concurrency',
        `it is ${String(concurrency)}, and must be a whole number above zero`,
      );
    }
    this.storages.get(from).require('read', 'remove');
    this.storages.get(to).require('write');
    // A wrong filter is found before the loop begins.
    searchWithin(this.transactor.dataSource, { storage: from }, options.filters);
    return this.#run({ ...options, concurrency });
  }

  /** In the order of their ids, which is the order in which they, or their direct uploads, were begun. */
  async *#run({ from, to, filters, concurrency, signal }: MoveFilesOptions & { concurrency: number }) {
    const running = new Set<Promise<void>>();
    const ended: MoveOutcome[] = [];
    try {
      for await (const file of eachFile(this.transactor.dataSource, { storage: from }, filters)) {
        signal?.throwIfAborted();
        const move = this.#move(file, to).then((outcome) => {
          running.delete(move);
          if (outcome) ended.push(outcome);
        });
        running.add(move);
        if (running.size === concurrency) await Promise.race(running);
        yield* ended.splice(0);
      }
      await Promise.all(running);
      yield* ended.splice(0);
    } finally {
      await Promise.all(running);
    }
  }

  /** Undefined if the file was deleted, or moved by another caller, since its page was read. Never rejects. */
  async #move(found: ManagedFile, to: string): Promise<MoveOutcome | undefined> {
    for (let file = found; ;) {
      try {
        const moved = file;
        return { kind: 'moved', file: await detach(() => this.writer.move(moved, to)) };
      } catch (error) {
        const current = await this.#read(file.id).catch(() => file);
        if (current?.storage !== file.storage) return undefined;
        // It was replaced since it was read.
        if (current.location === file.location) return { kind: 'failed', file, error };
        file = current;
      }
    }
  }

  #read(id: string): Promise<ManagedFile | null> {
    return detach(() => this.transactor.dataSource.getRepository(ManagedFile).findOneBy({ id }));
  }
}
