import { Injectable } from '@nestjs/common';
import { StorageFailedError } from '../../errors/storage.errors.js';
import { inLanes } from '../../storage/in-lanes.js';
import type { Storage } from '../../storage/storage.js';
import type { WritesTogether } from '../../storage/writes-together.js';
import type { Intent } from '../intents/intent.js';
import { IntentJournal } from '../intents/intent-journal.js';
import { ContentStore } from './content-store.js';
import type { NewContent } from './content-store.js';

/** Where bytes are to be. */
export interface PlannedPlace {
  readonly storage: Storage;
  readonly location: string;
}

/** What the writing of bytes at a place needs. */
export interface PlaceTerms {
  readonly location: string;
  /** None in a storage that writes in the transaction of the row. */
  readonly intent: Intent | undefined;
  /** Undefined in a storage that does not write together. */
  readonly writes: WritesTogether | undefined;
}

/** The bytes at a place, or why they are not there. */
export type Placed = { readonly content: NewContent } | { readonly error: unknown };

/** Stores the bytes of many files. One statement notes all of their places, and they become durable together. */
@Injectable()
export class ContentBatches {
  constructor(
    private readonly contents: ContentStore,
    private readonly journal: IntentJournal,
  ) {}

  /**
   * Calls `store` for each of the places, some side by side, and resolves once all that was stored lasts; with the
   * outcomes in the order of the places. `store` may give undefined for a place that it leaves out.
   */
  async store<Place extends PlannedPlace>(
    places: readonly Place[],
    concurrency: number,
    store: (place: Place, terms: PlaceTerms) => Promise<NewContent | undefined>,
  ): Promise<(Placed | undefined)[]> {
    const together = await this.#begin(places);
    const intents = await this.journal.announceAll(places.filter(({ storage }) => !storage.isTransactional));
    const noted = intents.values();
    const planned = places.map((place) => {
      const intent = place.storage.isTransactional ? undefined : noted.next().value;
      return { place, intent, location: place.location, writes: together.get(place.storage) };
    });
    const outcomes = await inLanes(planned, concurrency, async ({ place, ...terms }) =>
      placedBy(() => store(place, terms)),
    );
    await this.#withdraw(planned, outcomes);
    return this.#finish(together, outcomes);
  }

  /** The writes of the storages that get several files. */
  async #begin(places: readonly PlannedPlace[]): Promise<Map<Storage, WritesTogether>> {
    const begun = new Map<Storage, WritesTogether>();
    if (places.length === 1) return begun;
    for (const storage of new Set(places.map((place) => place.storage))) {
      const writes = storage.can('write') ? await storage.beginWrites() : undefined;
      if (writes) begun.set(storage, writes);
    }
    return begun;
  }

  /**
   * Ends the intents of bytes that were not stored. A write whose reply was lost may still arrive, and bytes that could
   * not be removed are still there: their intents stay for the sweeper.
   */
  async #withdraw(
    planned: readonly { intent: Intent | undefined }[],
    outcomes: readonly (Placed | undefined)[],
  ): Promise<void> {
    const rows: string[] = [];
    for (const [at, { intent }] of planned.entries()) {
      const outcome = outcomes[at];
      const isMade = outcome !== undefined && ('content' in outcome || outcome.error instanceof StorageFailedError);
      if (isMade || intent === undefined || this.contents.leaves(intent)) continue;
      if (intent.row === undefined) await intent.withdraw();
      else rows.push(intent.row.id);
    }
    await this.journal.withdraw(rows);
  }

  /** Makes the bytes last. Where that fails, those in the storage are removed again. */
  async #finish(
    together: ReadonlyMap<Storage, WritesTogether>,
    outcomes: (Placed | undefined)[],
  ): Promise<(Placed | undefined)[]> {
    const errors = new Map<string, unknown>();
    for (const [storage, writes] of together)
      await storage.finishWrites(writes).catch((error: unknown) => errors.set(storage.name, error));
    if (errors.size === 0) return outcomes;
    const lostOf = (one: Placed | undefined): NewContent | undefined =>
      one !== undefined && 'content' in one && errors.has(one.content.storage) ? one.content : undefined;
    await this.contents.discardAll(outcomes.flatMap((one) => lostOf(one) ?? []));
    return outcomes.map((one) => {
      const lost = lostOf(one);
      return lost ? { error: errors.get(lost.storage) } : one;
    });
  }
}

async function placedBy(store: () => Promise<NewContent | undefined>): Promise<Placed | undefined> {
  try {
    const content = await store();
    return content && { content };
  } catch (error) {
    return { error };
  }
}
