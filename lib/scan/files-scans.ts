import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { OptionInvalidError } from '../errors/setup.errors.js';
import { lockFiles } from '../files/lock-files.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { SCAN_JOB, scanOf } from '../files/scan/scan-state.js';
import type { ScanState } from '../files/public-file.js';
import { eachFile, searchWithin } from '../files/search/each-file.js';
import type { FileFilter } from '../files/search/file-filter.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import { Transactor } from '../unit-of-work/transactor.js';

/** Which files are scanned again. */
export interface RescanOptions {
  /** Only those of this storage. @default all storages that have a scanner */
  storage?: string;
  /**
   * Only those of these states; `unscanned` are files from before their storage had a scanner. @default ['pending',
   * 'failed']
   */
  states?: readonly (ScanState | 'unscanned')[];
  /** Only those that match, too. */
  filters?: FileFilter;
  /** Ends the run after the current files. */
  signal?: AbortSignal;
  /** Called after each commit, with how many files have been queued so far. */
  onProgress?: (queued: number) => void;
}

const STATES: readonly string[] = ['pending', 'clean', 'infected', 'failed', 'unscanned'];
const FILES_PER_UNIT = 100;

/** Scans of files that are there already, such as after an update of the scanner's signatures. */
@Injectable()
export class FilesScans {
  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly queue: TaskQueue,
  ) {}

  /**
   * Queues a scan of each file, and gives how many there are. Failed files are pending again. All others keep their
   * state until there is another verdict: clean files can be read meanwhile, and infected ones cannot.
   */
  async rescan(options: RescanOptions = {}): Promise<number> {
    const { scope, filters } = this.#find(options);
    let [count, batch]: [number, string[]] = [0, []];
    const flush = async (): Promise<void> => {
      count += await detach(() => this.#enqueue(batch, options));
      batch = [];
      options.onProgress?.(count);
    };
    for await (const { id } of eachFile(this.transactor.dataSource, scope, filters)) {
      if (options.signal?.aborted) break;
      batch.push(id);
      if (batch.length === FILES_PER_UNIT) await flush();
    }
    if (batch.length > 0) await flush();
    return count;
  }

  /** How many files `rescan()` would queue. */
  count(options: RescanOptions = {}): Promise<number> {
    const { scope, filters } = this.#find(options);
    return detach(() => searchWithin(this.transactor.dataSource, scope, filters).count());
  }

  #find(options: RescanOptions): { scope: FileFilter; filters: FileFilter | undefined } {
    const scanning = this.storages.names.filter((name) => this.storages.get(name).scanner);
    const { storage, filters } = options;
    if (storage !== undefined && !this.storages.get(storage).scanner)
      throw new OptionInvalidError('storage', `"${storage}" has no scanner. Storages with one: ${scanning.join(', ')}`);
    const scan = { $in: statesIn(options) };
    if (storage !== undefined) return { scope: { storage, scan }, filters };
    const types = this.storages.ownerTypesScanned;
    const names = types.flatMap((type) => this.storages.ownerScanners[type]?.name ?? []);
    const scanned = [{ storage: { $in: scanning } }, { ownerType: { $in: types } }, { scanner: { $in: names } }];
    return { scope: { scan, $or: scanned }, filters };
  }

  async #enqueue(ids: readonly string[], options: RescanOptions): Promise<number> {
    const states = statesIn(options);
    return this.queue.runQueued(async ({ unit: { manager } }) => {
      const files = (await lockFiles(manager, ids)).filter(({ scan }) => states.includes(scan));
      const failed = files.filter(({ scan }) => scan === 'failed').map(({ id }) => id);
      if (failed.length > 0) await manager.update(ManagedFile, { id: In(failed) }, { scan: 'pending', finding: null });
      for (const file of files) this.queue.enqueue(SCAN_JOB, scanOf(file));
      return files.length;
    });
  }
}

/** The states as the column has them. Throws for an unknown state. */
function statesIn({ states = ['pending', 'failed'] }: RescanOptions): (ScanState | null)[] {
  const unknown = states.find((state) => !STATES.includes(state));
  if (unknown !== undefined)
    throw new OptionInvalidError('states', `there is no state "${unknown}". The states are ${STATES.join(', ')}`);
  return states.map((state) => (state === 'unscanned' ? null : state));
}
