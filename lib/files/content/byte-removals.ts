import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { OptionInvalidError } from '../../errors/setup.errors.js';
import type { Storage } from '../../storage/storage.js';
import { within } from '../../unit-of-work/scopes/ambient.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { inLanes } from '../../storage/in-lanes.js';
import { IntentJournal } from '../intents/intent-journal.js';
import { Mutex } from '../../unit-of-work/mutex.js';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';

/** The application's `concurrentRemovals` option, read by `readConcurrentRemovals`. */
export const CONCURRENT_REMOVALS = Symbol('CONCURRENT_REMOVALS');

// Removals of fsStorage share four threads with all other file system work of the process.
const DEFAULT_CONCURRENCY = 4;
const REMOVED_TOGETHER = 1_000;

/** Bytes that no row refers to any more, and their intent. */
export interface Removal {
  id: string;
  storage: Storage;
  location: string;
}

/**
 * Removes bytes after the commits that gave them up, while the responses are on their way. Removals that fail, or that
 * a shutdown cuts short, keep their intents, which the sweeper processes.
 */
@Injectable()
export class ByteRemovals {
  readonly #logger = new Logger('ByteRemovals');
  readonly #slots: Mutex;
  readonly #under = new Set<Promise<void>>();
  /** What is told of removals that are left to the sweeper. */
  readonly #told = new Set<(removal: Removal) => void>();

  constructor(
    private readonly transactor: Transactor,
    private readonly journal: IntentJournal,
    @Optional() @Inject(CONCURRENT_REMOVALS) private readonly concurrency = DEFAULT_CONCURRENCY,
  ) {
    this.#slots = new Mutex(concurrency);
  }

  /** Begins to remove the bytes. Callers need not wait; a shutdown does. */
  add(removals: readonly Removal[]): void {
    if (removals.length === 0) return;
    let isStopped = false;
    // Outside of the caller's context: the removal outlives the call.
    const work = within(undefined, () => this.#removeAll(removals, () => isStopped));
    this.#under.add(work);
    void work.finally(() => this.#under.delete(work));
    this.transactor.follow(work, () => (isStopped = true));
  }

  /** Runs `work`, which removes bytes, when fewer than `concurrentRemovals` are under way. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#slots.run(work);
  }

  /** Waits until nothing is under way. */
  async idle(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under);
  }

  /**
   * Runs `work`, and waits for the removals that follow from it. Resolves with its result, and with the removals that
   * are left to the sweeper; among them may be those of other callers.
   */
  async watch<T>(work: () => Promise<T>): Promise<{ result: T; left: readonly Removal[] }> {
    const left: Removal[] = [];
    const tell = (removal: Removal): void => void left.push(removal);
    this.#told.add(tell);
    try {
      const result = await work();
      await this.idle();
      return { result, left };
    } finally {
      this.#told.delete(tell);
    }
  }

  /** Never rejects. One statement drops the intents of all, however many there are. */
  async #removeAll(removals: readonly Removal[], isStopped: () => boolean): Promise<void> {
    const gone: string[] = [];
    const remove = async (removal: Removal): Promise<void> => {
      const { id, storage, location } = removal;
      if (isStopped()) return this.#leave(removal);
      try {
        await storage.remove(location);
        gone.push(id);
      } catch (error) {
        this.#leave(removal);
        this.#logger.warn(`"${location}" of storage "${storage.name}" is left to the sweeper: ${String(error)}`);
      }
    };
    const left = (await this.#removeTogether(removals, gone, isStopped)).values();
    // Other calls' removals take turns with these.
    const lane = async (): Promise<void> => {
      for (const removal of left) await this.#slots.run(() => remove(removal));
    };
    await Promise.all(Array.from({ length: Math.min(this.concurrency, removals.length) }, lane));
    try {
      await this.journal.drop(gone);
    } catch (error) {
      this.#logger.warn(
        `${gone.length} intent(s) to delete are left to the sweeper; their bytes are gone: ${String(error)}`,
      );
    }
  }

  #leave(removal: Removal): void {
    for (const tell of this.#told) tell(removal);
  }

  /** Removes those of storages that remove many objects at once, and notes them in `gone`. Resolves with the others. */
  async #removeTogether(removals: readonly Removal[], gone: string[], isStopped: () => boolean): Promise<Removal[]> {
    const left: Removal[] = [];
    for (const storage of new Set(removals.map((removal) => removal.storage))) {
      const own = removals.filter((removal) => removal.storage === storage);
      if (own.length === 1 || !storage.removesTogether) left.push(...own);
      else left.push(...(await this.#removeChunks(storage, own, gone, isStopped)));
    }
    return left;
  }

  /** Removes as many at once as a shutdown may wait for. Resolves with those that are left. */
  async #removeChunks(
    storage: Storage,
    removals: readonly Removal[],
    gone: string[],
    isStopped: () => boolean,
  ): Promise<Removal[]> {
    const left: Removal[] = [];
    await inLanes([...inChunks(removals, REMOVED_TOGETHER)], this.concurrency, async (some) => {
      const locations = some.map(({ location }) => location);
      // After an error, one by one it turns out which of them fails, and why.
      const isDone = await this.#slots.run(async () => !isStopped() && succeeds(storage.removeAll(locations)));
      if (isDone) gone.push(...some.map(({ id }) => id));
      else left.push(...some);
    });
    return left;
  }
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

/**
 * The configured number of concurrent removals, or the default. Throws `OptionInvalidError` unless it is a positive
 * integer.
 */
export function readConcurrentRemovals(concurrency = DEFAULT_CONCURRENCY): number {
  if (Number.isSafeInteger(concurrency) && concurrency > 0) return concurrency;
  throw new OptionInvalidError(
    'concurrentRemovals',
    `it is ${String(concurrency)}, and must be a whole number above zero`,
  );
}
