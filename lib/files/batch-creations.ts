import type { Readable } from 'node:stream';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { inLanes } from '../storage/in-lanes.js';
import type { Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ContentBatches } from './content/content-batches.js';
import { ContentStore } from './content/content-store.js';
import type { NewContent } from './content/content-store.js';
import { examine } from './content/examine.js';
import { openContent } from './content/open-content.js';
import { uuidV7 } from './file-id.js';
import { cleanFileName } from './file-name.js';
import { DEFAULT_STORAGE } from './file-writer.js';
import type { ManagedFile } from './managed-file.entity.js';
import { insertStoredFiles, newFile } from './new-file.js';
import { assertOwnerReference } from './owner-reference.js';
import type { OwnerReference } from './owner-reference.js';
import { OwnershipPort } from './ownership-port.js';
import { unscannedBy } from './scan/scan-state.js';
import { StoredHooks } from './stored/stored-hooks.js';

/** Content that can be opened twice, and the file to make of it. */
export interface BatchFile {
  readonly open: () => Readable;
  readonly name: string;
  /** @default the `defaultStorage` of the module */
  readonly storage?: string | undefined;
  /** @default one that the storage gives */
  readonly location?: string;
  readonly owner: OwnerReference | null;
}

interface Planned extends BatchFile {
  readonly to: Storage;
  readonly location: string;
}

/** Makes files of contents that can be opened again, with the statements of one. */
@Injectable()
export class BatchCreations {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly contents: ContentStore,
    private readonly batches: ContentBatches,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Optional() private readonly hooks?: StoredHooks,
  ) {}

  /**
   * All of the files, in their order, or none. The beginning of each content is read first: it tells the type, from
   * which the location may follow, and the locations are noted together, before anything is written. Quotas are checked
   * when the rows are inserted.
   */
  async create(files: readonly BatchFile[], concurrency = 4): Promise<ManagedFile[]> {
    return this.transactor.staying(async () => {
      const planned = await inLanes(files, concurrency, (file) => this.#plan(file));
      const places = planned.map((file) => ({ ...file, storage: file.to }));
      const outcomes = await this.batches.store(places, concurrency, async ({ open, name, to }, terms) => {
        const source = await openContent(open, `the file "${name}"`);
        return this.contents.put(source, to, { name, ...terms });
      });
      const stored = outcomes.flatMap((one) => (one !== undefined && 'content' in one ? one.content : []));
      const failed = outcomes.find((one) => one !== undefined && 'error' in one);
      if (failed !== undefined && 'error' in failed) {
        await this.contents.discardAll(stored);
        throw failed.error;
      }
      return this.#insert(planned, stored);
    });
  }

  async #plan(file: BatchFile): Promise<Planned> {
    const to = this.storages.get(file.storage ?? this.defaultStorage);
    to.require('write');
    const name = cleanFileName(file.name);
    if (file.owner) assertOwnerReference(file.owner);
    if (file.location !== undefined) {
      to.assertLocation(file.location);
      return { ...file, name, to, location: file.location };
    }
    const source = await openContent(file.open, `the file "${name}"`);
    try {
      const { contentType } = await examine(source, to, { name });
      const location = to.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
      return { ...file, name, to, location };
    } finally {
      source.destroy();
    }
  }

  #insert(planned: readonly Planned[], stored: readonly NewContent[]): Promise<ManagedFile[]> {
    return this.contents.commitAll(stored, async ({ manager }) => {
      const rows = stored.map((content, at) => {
        const { name, owner } = planned[at] as Planned;
        const { storage, location, contentType, charset, size, hash, hashAlgorithm } = content;
        const safety = unscannedBy(this.storages.scannerFor(storage, owner?.type));
        return newFile({ name, storage, location, contentType, charset, size, hash, hashAlgorithm, ...safety }, owner);
      });
      await insertStoredFiles(manager, rows);
      await this.ownership.onCreateAll(rows, manager);
      for (const row of rows) await this.hooks?.run(row, 'create');
      return rows;
    });
  }
}
