import { Inject, Injectable, Logger } from '@nestjs/common';
import { stackOf } from '../errors/stack-of.js';
import { ScannerFailedError } from '../errors/files.errors.js';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import { ShuttingDownError } from '../errors/units.errors.js';
import { ContentStore } from '../files/content/content-store.js';
import { DerivedFiles } from '../files/derived/derived-files.js';
import { uuidV7 } from '../files/file-id.js';
import { lockFiles } from '../files/lock-files.js';
import { contentTime } from '../files/derived/derived-rows.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import type { ScanPayload } from '../files/scan/scan-state.js';
import type { JobContext } from '../jobs/file-job.decorator.js';
import { locationKey } from '../storage/location-key.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import type { FileScanner, ScanVerdict } from '../storage/file-scanner.js';
import type { Storage } from '../storage/storage.js';
import { TaskQueue } from '../task-queue/task-queue.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { askScanner, TooLargeForScannerError } from './ask-scanner.js';
import type { ScannedContext } from './on-file-scanned.decorator.js';
import { ScanHooks } from './scan-hooks.js';
import { SCANNING_OPTIONS } from './scanning-options.js';
import type { CheckedScanningOptions } from './scanning-options.js';

type Outcome = Omit<ScannedContext, 'previous'>;

const MAX_FINDING = 255;

/** Scans files: no transaction is open while bytes flow, and one saves the verdict. */
@Injectable()
export class ScanRuns {
  readonly #logger = new Logger('FilesScans');

  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly queue: TaskQueue,
    private readonly contents: ContentStore,
    private readonly hooks: ScanHooks,
    private readonly derived: DerivedFiles,
    @Inject(SCANNING_OPTIONS) private readonly options: CheckedScanningOptions,
  ) {}

  /**
   * Scans the content and saves the verdict. Without a verdict it throws, so that the job is tried again. After the
   * last attempt, or if the content is too large for the scanner, pending content becomes failed instead. A shutdown
   * always throws.
   */
  async run(payload: ScanPayload, { attempt, signal }: JobContext): Promise<void> {
    const file = await this.transactor.dataSource.getRepository(ManagedFile).findOneBy({ id: payload.fileId });
    if (!file || !this.#isAbout(payload, file)) return;
    const outcome = await this.#outcomeOf(file, attempt, signal);
    if (outcome) await this.#settle(file, outcome);
  }

  /** Content that still waits for its scan when the job is given up has failed: nothing else would scan it. */
  async gaveUp({ fileId, location }: ScanPayload, why: string): Promise<void> {
    const file = await this.transactor.dataSource.getRepository(ManagedFile).findOneBy({ id: fileId });
    if (file?.location !== location || file.scan !== 'pending') return;
    const outcome: Outcome = { state: 'failed', finding: shortened(why) };
    try {
      await this.#settle(file, outcome);
    } catch (error) {
      this.#logger.error(`The hooks of file ${fileId} were not told that its scan has failed`, stackOf(error));
      await this.#settle(file, outcome, false);
    }
  }

  /** Whether the job still has to scan the file: it is about this content, and no other job is. */
  #isAbout({ location, contentTime: queuedFor }: ScanPayload, file: ManagedFile): boolean {
    if (file.location === location) return true;
    // The file was replaced or moved. Pending content has a job of its own, and what nothing scans needs none.
    return contentTime(file) === queuedFor && file.scan !== 'pending' && this.storages.scannerOf(file) !== undefined;
  }

  /** Undefined where there is nothing to scan any more. */
  async #outcomeOf(file: ManagedFile, attempt: number, signal: AbortSignal): Promise<Outcome | undefined> {
    try {
      const ending = AbortSignal.any([signal, AbortSignal.timeout(this.options.timeout)]);
      const verdict = await this.#verdictOn(file, ending);
      return verdict.clean
        ? { state: 'clean', finding: null }
        : { state: 'infected', finding: shortened(verdict.finding) };
    } catch (error) {
      // An earlier scan has removed the bytes.
      if (file.scan === 'infected' && error instanceof LocationNotFoundError) return undefined;
      const isLast = attempt >= this.options.attempts || error instanceof TooLargeForScannerError;
      const isShutdown = signal.aborted && signal.reason instanceof ShuttingDownError;
      // An earlier verdict holds until there is another one.
      if (!isLast || isShutdown || file.scan !== 'pending') throw error;
      return { state: 'failed', finding: shortened(String((error as Error)?.message ?? error)) };
    }
  }

  #verdictOn(file: ManagedFile, signal: AbortSignal): Promise<ScanVerdict> {
    const storage = this.storages.of(file);
    const scanner = this.storages.scannerOf(file);
    if (scanner) return askScanner(file, storage, scanner, signal);
    throw new ScannerFailedError(
      file.scanner ?? '',
      `neither storage "${storage.name}" nor the type of its owner has one any more`,
    );
  }

  async #settle(scanned: ManagedFile, outcome: Outcome, hasHooks = true): Promise<void> {
    const { id } = scanned;
    const scanner = this.storages.scannerOf(scanned);
    await this.queue.runQueued(async (queue) => {
      const [file] = await lockFiles(queue.unit.manager, [id]);
      if (!file || !this.#holds(outcome, scanned, scanner, file)) return;
      const { scan: previous } = file;
      const storage = this.storages.of(file);
      const verdict = { scan: outcome.state, scanner: scanner?.name ?? file.scanner, finding: outcome.finding };
      const changes = { ...verdict, ...(await this.#withoutBytes(queue.unit, file, storage, outcome)) };
      await queue.unit.manager.update(ManagedFile, { id }, changes);
      Object.assign(file, changes);
      if (outcome.state === 'infected') await this.derived.removeOf(queue.unit, id);
      // Derived files may have been removed when the scanner of an owner made the content pending again.
      else if (previous !== 'clean')
        this.derived.queueFor(file, { again: previous === 'infected' || storage.scanner === undefined });
      if (hasHooks) await this.hooks.run(file, { ...outcome, previous });
      await queue.drain(undefined);
      queue.unit.afterCommit(() => this.#tell(file, outcome));
    });
  }

  /** Whether the outcome of the scan is that of the file as it is now. */
  #holds({ state }: Outcome, scanned: ManagedFile, scanner: FileScanner | undefined, now: ManagedFile): boolean {
    // What was scanned is not the content any more.
    if (contentTime(now) !== contentTime(scanned)) return false;
    // The file was moved. It kept the verdict that this one replaces. Pending content has a job of its own, and the
    // bytes of infected content may have been removed.
    const isMoved = now.storage !== scanned.storage || now.location !== scanned.location;
    if (isMoved && now.scan !== 'clean') return false;
    // The file has another scanner now, of its storage or its owner. A separate job runs that scanner.
    if (this.storages.scannerOf(now)?.name !== scanner?.name) return false;
    // Another scan has had a verdict meanwhile.
    return state !== 'failed' || now.scan === 'pending';
  }

  /**
   * Removes infected bytes after the commit, if the application says so. The row then has a location where nothing is:
   * the sweeper spares what a row refers to.
   */
  async #withoutBytes(
    unit: UnitOfWork,
    file: ManagedFile,
    storage: Storage,
    { state }: Outcome,
  ): Promise<Partial<Pick<ManagedFile, 'location' | 'locationKey'>>> {
    if (state !== 'infected' || this.options.infected !== 'remove' || !storage.can('remove')) return {};
    await this.contents.remove(unit, [file]);
    const { name, contentType } = file;
    const location = storage.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
    return { location, locationKey: locationKey(location) };
  }

  #tell({ id, name, ownerType, ownerId }: ManagedFile, { state, finding }: Outcome): void {
    if (state === 'clean') return;
    const owner = ownerType === null ? 'nobody' : `${ownerType} ${ownerId}`;
    this.#logger.warn(`File ${id} ${JSON.stringify(name)} of ${owner}: ${state}, ${finding}`);
  }
}

/**
 * Shortens the text to the length of the column, and replaces control characters and lone surrogates: PostgreSQL stores
 * neither NUL nor lone surrogates.
 */
function shortened(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cs}]/gu, ' ');
  return [...clean].slice(0, MAX_FINDING).join('');
}
