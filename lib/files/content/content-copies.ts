import { Injectable } from '@nestjs/common';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { uuidV7 } from '../file-id.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { ContentBatches } from './content-batches.js';
import type { PlaceTerms } from './content-batches.js';
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

/** Copies the bytes of many files. One statement notes all of the copies. */
@Injectable()
export class ContentCopies {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly contents: ContentStore,
    private readonly batches: ContentBatches,
  ) {}

  /**
   * Copies each file to the storage that `to` gives. Files that are in neither list were left out, because the run was
   * ended.
   */
  async copy(
    files: readonly ManagedFile[],
    to: (file: ManagedFile) => Storage,
    { concurrency, signal, pace }: CopyTerms,
  ): Promise<{ copied: Copied[]; uncopied: Uncopied[] }> {
    const places = files.map((file) => {
      const storage = to(file);
      return { file, storage, location: newLocation(file, storage) };
    });
    const origins = new Set(files.map((file) => this.storages.of(file)));
    const reads = new Map([...origins].map((from) => [from, from.beginReads()]));
    const copyTo = (file: ManagedFile, storage: Storage, terms: PlaceTerms): Promise<NewContent> => {
      const from = this.storages.of(file);
      return this.contents.copy(file, from, storage, { ...terms, pace, reads: reads.get(from) });
    };
    const outcomes = await this.batches.store(places, concurrency, async ({ file, storage }, terms) =>
      signal?.aborted ? undefined : copyTo(file, storage, terms),
    );
    const [copied, uncopied]: [Copied[], Uncopied[]] = [[], []];
    for (const [at, file] of files.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined) continue;
      if ('content' in outcome) copied.push({ file, content: outcome.content });
      else uncopied.push({ file, error: outcome.error });
    }
    return { copied, uncopied };
  }
}

function newLocation({ name, contentType }: ManagedFile, to: Storage): string {
  return to.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
}
