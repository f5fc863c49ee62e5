import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { type SweepTrace, sweepTrace } from '../../diagnostics/traces.js';
import { stackOf } from '../../errors/stack-of.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { detach } from '../../unit-of-work/scopes/ambient.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { ByteRemovals } from '../content/byte-removals.js';
import { removeUnreferred } from '../content/remove-unreferred.js';
import { isWithoutWork } from '../boot-without-work.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import { FileIntent } from './file-intent.entity.js';
import { IntentEndings } from './intent-endings.js';
import { leaseIntents } from './intent-leases.js';
import { MARKERS, readMarker } from './marker-intent.js';
import { previewSweep, stepOf } from './sweep-preview.js';
import type { SweepStep } from './sweep-preview.js';
import { SweepFailures } from './sweep-failures.js';
import { count, emptyReport } from './sweep-report.js';
import type { SweepOptions, SweepReport } from './sweep-report.js';
import { UploadSweep } from '../uploads/upload-sweep.js';
import { FilesDrafts } from '../drafts/files-drafts.js';
import { SWEEPER_OPTIONS } from './sweeper-options.js';
import type { CheckedSweeperOptions } from './sweeper-options.js';

/**
 * Removes the remains of a crash, a failed storage or a lost COMMIT: bytes that no file refers to. With the option
 * `drafts`, it also deletes uploads that nobody has attached in time. It may run on several machines at once; bytes
 * that another file refers to are never touched.
 */
@Injectable()
export class FilesSweeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(FilesSweeper.name);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<SweepReport> | undefined;
  /** Callers who wait for the running sweep. */
  readonly #told = new Set<(report: SweepReport) => void>();
  readonly #stopped = new AbortController();
  #tidiedAt = Number.NEGATIVE_INFINITY;

  /** @internal */
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly removals: ByteRemovals,
    private readonly intents: IntentEndings,
    private readonly uploads: UploadSweep,
    private readonly drafts: FilesDrafts,
    @Inject(SWEEPER_OPTIONS) private readonly options: CheckedSweeperOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * Sweeps once, after the removals that this process has in progress. A call during a sweep returns the report of that
   * sweep. It runs outside of any unit of work, wherever it is called.
   */
  async sweep({ onProgress }: SweepOptions = {}): Promise<SweepReport> {
    await this.removals.idle();
    // Of its own for each call, so that two with one function do not end each other.
    const told = (report: SweepReport): void => onProgress?.(report);
    this.#told.add(told);
    try {
      return await this.#sweep(true);
    } finally {
      this.#told.delete(told);
    }
  }

  /** The work that a sweep would do now, without doing it. Unfinished writes in storages are not included. */
  preview({ limit = 100 }: { limit?: number } = {}): Promise<SweepStep[]> {
    const moment = { now: new Date(this.now()), abandonedBefore: this.#abandonedBefore(), limit };
    return detach(async () => {
      const steps = await previewSweep(this.transactor, this.storages, moment);
      const drafts = await this.drafts.preview({ limit: limit - steps.length });
      return [...steps, ...drafts.map(stepOf)];
    });
  }

  /** When the oldest intent was written; `undefined` if there is none. One statement, for alerts. */
  async oldestIntent(): Promise<Date | undefined> {
    const [oldest] = await detach(() =>
      this.transactor.dataSource.getRepository(FileIntent).find({
        select: { id: true, createdAt: true },
        order: { createdAt: 'ASC' },
        take: 1,
      }),
    );
    return oldest?.createdAt;
  }

  /**
   * For how many milliseconds an intent may exist while sweeps succeed.
   * @internal
   */
  get patience(): number {
    return this.options.grace + 2 * this.options.interval;
  }

  /** @internal */
  onApplicationBootstrap(): void {
    if (this.options.isTimed && !isWithoutWork()) this.#wait();
  }

  /**
   * Ends the running sweep after its present step, and resolves at once. The shutdown waits for this step together with
   * the units of work, before the data source is closed.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    const ended = this.#running?.then(
      () => undefined,
      () => undefined,
    );
    // A wait of its own would be added to those for jobs and for units of work.
    if (ended) this.transactor.follow(ended, () => this.#logger.warn('A storage or the database holds the sweep up'));
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#sweepOnTime(), this.options.interval).unref();
  }

  async #sweepOnTime(): Promise<void> {
    try {
      // Looking for leftovers reads all directories, so it is done seldom; leftovers only take space.
      const report = await this.#sweep(this.now() - this.#tidiedAt >= this.options.grace);
      if (report.examined + report.leftovers + report.expired > 0) this.#logger.log(`Swept: ${JSON.stringify(report)}`);
    } catch (error) {
      this.#logger.error('The sweep failed; the next one tries again', stackOf(error));
    }
    this.#wait();
  }

  #sweep(tidy: boolean): Promise<SweepReport> {
    this.#running ??= detach(() =>
      sweepTrace.run(
        () => ({ examined: 0, finished: 0, failed: 0, bytesRemoved: 0 }),
        (trace) => this.#sweepAll(tidy, trace),
      ),
    ).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #sweepAll(tidy: boolean, trace?: SweepTrace): Promise<SweepReport> {
    const report = emptyReport();
    const failures = new SweepFailures(report, this.#logger);
    await this.#sweepIntents(report, failures);
    await failures.attempt('the direct uploads', () => this.#sweepUploads(report, failures));
    for (const name of this.drafts.removableStorages()) {
      await failures.attempt(`the expired uploads of storage "${name}"`, () =>
        this.#sweepDrafts(name, report, failures),
      );
    }
    for (const name of this.storages.names) {
      if (this.#isStopped) break;
      const storage = this.storages.get(name);
      await failures.attempt(`the markers of storage "${name}"`, () => this.#sweepMarkers(storage, report, failures));
      if (tidy) await failures.attempt(`the leftovers of storage "${name}"`, () => this.#tidy(storage, report));
    }
    this.#tell(report);
    failures.tell();
    if (tidy) this.#tidiedAt = this.now();
    const { examined, finished, failed, bytesRemoved } = report;
    if (trace) Object.assign(trace, { examined, finished, failed, bytesRemoved });
    return report;
  }

  async #sweepIntents(report: SweepReport, failures: SweepFailures): Promise<void> {
    const { batch: limit, lease } = this.options;
    for (;;) {
      const now = this.now();
      const terms = {
        now: new Date(now),
        abandonedBefore: this.#abandonedBefore(),
        leaseUntil: new Date(now + lease),
        limit,
      };
      const intents = await leaseIntents(this.transactor, terms);
      if (intents.length === 0) return;
      await this.intents.finish(intents, {
        report,
        failures,
        isStopped: () => this.#isStopped,
        tell: () => this.#tell(report),
      });
      if (this.#isStopped) return;
    }
  }

  async #sweepUploads(report: SweepReport, failures: SweepFailures): Promise<void> {
    const settledBefore = this.#abandonedBefore();
    for await (const upload of this.uploads.due(settledBefore, this.options.batch)) {
      if (this.#isStopped) return;
      report.examined++;
      const what = `the upload ${upload.id} to "${upload.location}" in storage "${upload.storage}"`;
      await failures.attempt(what, async () => count(report, await this.uploads.sweep(upload, settledBefore)));
      this.#tell(report);
    }
  }

  async #sweepDrafts(storage: string, report: SweepReport, failures: SweepFailures): Promise<void> {
    if (this.#isStopped) return;
    const attempt = (id: string, work: () => Promise<void>) => failures.attempt(`the expired upload ${id}`, work);
    for await (const batch of this.drafts.batches(storage, attempt, this.options.batch)) {
      report.expired += batch.expired;
      this.#tell(report);
      if (this.#isStopped) return;
    }
  }

  async #sweepMarkers(storage: Storage, report: SweepReport, failures: SweepFailures): Promise<void> {
    if (storage.isTransactional || !storage.can('list', 'read', 'remove')) return;
    for await (const { location: marker, modifiedAt } of storage.list(MARKERS)) {
      if (this.#isStopped) return;
      if (modifiedAt > this.#abandonedBefore()) continue;
      report.examined++;
      await failures.attempt(`the marker "${marker}" of storage "${storage.name}"`, async () => {
        const location = await readMarker(storage, marker);
        // Markers exist only on SQLite, where no other transaction, which could hold the row, is open meanwhile.
        await this.transactor.run(() => this.#removeUnreferred(storage, location, report));
        await storage.remove(marker);
      });
      this.#tell(report);
    }
  }

  async #removeUnreferred(storage: Storage, location: string, report: SweepReport): Promise<void> {
    count(report, await removeUnreferred(this.transactor.dataSource, storage, location));
  }

  async #tidy(storage: Storage, report: SweepReport): Promise<void> {
    if (this.#isStopped) return;
    // A client that sends to the storage itself may take its time, as long as its upload is open.
    const before = await this.uploads.unknownBefore(storage.name, this.#abandonedBefore());
    const leftovers = await storage.removeLeftovers(before, this.#stopped.signal);
    report.leftovers += leftovers.count;
    report.bytesRemoved += leftovers.size;
  }

  #tell(report: SweepReport): void {
    for (const told of this.#told) told({ ...report });
  }

  #abandonedBefore(): Date {
    return new Date(this.now() - this.options.grace);
  }
}
