import { Injectable } from '@nestjs/common';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { removeAllUnreferred, removeUnreferred } from '../content/remove-unreferred.js';
import { FileIntent } from './file-intent.entity.js';
import type { SweepFailures } from './sweep-failures.js';
import { count } from './sweep-report.js';
import type { SweepReport } from './sweep-report.js';

/** The sweep for which intents are finished. */
interface Sweep {
  readonly report: SweepReport;
  readonly failures: SweepFailures;
  isStopped(): boolean;
  /** Tells how far it is. */
  tell(): void;
}

/** Removes the bytes of leased intents, unless a file refers to them, and then the intents. */
@Injectable()
export class IntentEndings {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
  ) {}

  /**
   * Finishes the intents. Those that fail are noted, and keep their lease. If the sweep is stopped, the rest is left.
   */
  async finish(intents: readonly FileIntent[], sweep: Sweep): Promise<void> {
    for (const intent of await this.#finishTogether(intents, sweep)) {
      if (sweep.isStopped()) return;
      sweep.report.examined++;
      const what = `the intent to ${intent.kind} "${intent.location}" in storage "${intent.storage}"`;
      await sweep.failures.attempt(what, () => this.#finishOne(intent, sweep.report));
      sweep.tell();
    }
  }

  // From the lease on, no row can start to refer to the bytes: creations need the intent without a lease, registrations
  // need it removed.
  async #finishOne({ id, storage, location }: FileIntent, report: SweepReport): Promise<void> {
    const { dataSource } = this.transactor;
    count(report, await removeUnreferred(dataSource, this.storages.of({ storage }), location));
    await dataSource.getRepository(FileIntent).delete({ id });
  }

  /** Finishes those in storages that remove many objects at once. Resolves with the others. */
  async #finishTogether(intents: readonly FileIntent[], { report, isStopped, tell }: Sweep): Promise<FileIntent[]> {
    const left: FileIntent[] = [];
    for (const name of new Set(intents.map(({ storage }) => storage))) {
      const own = intents.filter(({ storage }) => storage === name);
      const isTogether = own.length > 1 && this.storages.names.includes(name) && !isStopped();
      const storage = isTogether ? this.storages.get(name) : undefined;
      const isDone = storage?.removesTogether === true && (await this.#finishAll(storage, own, report));
      if (isDone) tell();
      else left.push(...own);
    }
    return left;
  }

  async #finishAll(storage: Storage, intents: readonly FileIntent[], report: SweepReport): Promise<boolean> {
    const { dataSource } = this.transactor;
    try {
      const locations = intents.map(({ location }) => location);
      const removed = await removeAllUnreferred(dataSource, storage, locations);
      await dataSource.getRepository(FileIntent).delete(intents.map(({ id }) => id));
      for (const one of removed) count(report, one);
      report.examined += intents.length;
      return true;
    } catch {
      // One by one it turns out which of them fails, and why.
      return false;
    }
  }
}
