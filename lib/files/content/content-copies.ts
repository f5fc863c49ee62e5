import { Injectable } from '@nestjs/common';
import { StorageFailedError } from '../../errors/storage.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { uuidV7 } from '../file-id.js';
import { inLanes } from '../in-lanes.js';
import type { Intent } from '../intents/intent.js';
import { IntentJournal } from '../intents/intent-journal.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { ContentStore } from './content-store.js';
import type { NewContent } from './content-store.js';
import type { Pace } from './pace.js';

/** A file whose bytes are at another place, too. No row refers to that place yet. */
export interface Copied {
  readonly file: ManagedFile;
  readonly content: NewContent;
}

/** A file whose bytes could not be copied; nothing of the copy is there. */
export interface Uncopied {
  readonly file: ManagedFile;
  readonly error: unknown;
}

export interface CopyTerms {
  /** How many files are copied side by side. */
  readonly concurrency: number;
  /** No further file is copied once it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The limit to the bytes in a second. */
  readonly pace?: Pace | undefined;
}

interface Place {
  readonly file: ManagedFile;
  readonly storage: Storage;
  readonly location: string;
  /** None in a storage that writes in the transaction of the row. */
  readonly intent: Intent | undefined;
}

/** Copies the bytes of many files. One statement notes all of the copies. */
@Injectable()
export class ContentCopies {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly contents: ContentStore,
    private readonly journal: IntentJournal,
  ) {}

  /** Copies each file to the storage that `to` gives. Files that are in neither list were left out, because the run was ended. */
  async copy(
    files: readonly ManagedFile[],
    to: (file: ManagedFile) => Storage,
    terms: CopyTerms,
  ): Promise<{ copied: Copied[]; uncopied: Uncopied[] }> {
    const places = files.map((file) => {
      const storage = to(file);
      return { file, storage, location: newLocation(file, storage) };
    });
    const intents = await this.journal.announceAll(places.filter(({ storage }) => !storage.isTransactional));
    const noted = intents.values();
    const planned = places.map((place): Place => {
      return { ...place, intent: place.storage.isTransactional ? undefined : noted.next().value };
    });
    const copies = await inLanes(planned, terms.concurrency, (place) => this.#copy(place, terms));
    await this.#withdraw(planned, copies);
    return {
      copied: copies.filter((copy) => copy !== undefined && 'content' in copy) as Copied[],
      uncopied: copies.filter((copy) => copy !== undefined && 'error' in copy) as Uncopied[],
    };
  }

  /** Undefined if the run was ended before. */
  async #copy(
    { file, storage, location, intent }: Place,
    { signal, pace }: CopyTerms,
  ): Promise<Copied | Uncopied | undefined> {
    if (signal?.aborted) return undefined;
    try {
      const content = await this.contents.copy(file, this.storages.of(file), storage, { location, intent, pace });
      return { file, content };
    } catch (error) {
      return { file, error };
    }
  }

  /** Ends the intents of copies that were not made. A write whose answer was lost may still arrive: its intent stays for the sweeper. */
  async #withdraw(planned: readonly Place[], copies: readonly (Copied | Uncopied | undefined)[]): Promise<void> {
    const rows: string[] = [];
    for (const [at, { intent }] of planned.entries()) {
      const copy = copies[at];
      const isMade = copy !== undefined && ('content' in copy || copy.error instanceof StorageFailedError);
      if (isMade || intent === undefined) continue;
      if (intent.row === undefined) await intent.withdraw();
      else rows.push(intent.row.id);
    }
    await this.journal.withdraw(rows);
  }
}

function newLocation({ name, contentType }: ManagedFile, to: Storage): string {
  return to.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
}
