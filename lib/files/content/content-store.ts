import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { FileCorruptError } from '../../errors/files.errors.js';
import { LocationTakenError, StorageFailedError } from '../../errors/storage.errors.js';
import type { Bytes, ReadsTogether } from '../../storage/reads-together.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { UnitOfWork } from '../../unit-of-work/unit-of-work.js';
import { ByteRemovals } from './byte-removals.js';
import type { Examined } from './examine.js';
import type { Intent } from '../intents/intent.js';
import { IntentJournal } from '../intents/intent-journal.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { streamOf } from './open-content.js';
import type { Pace } from './pace.js';
import { storeContent } from './store-content.js';
import type { StoredContent, UploadHints } from './store-content.js';
import type { WritesTogether } from '../../storage/writes-together.js';
import { scanOfCopy } from '../scan/scan-state.js';
import { uuidV7 } from '../file-id.js';

/** Stored bytes that have no row yet. */
export interface NewContent extends StoredContent {
  readonly storage: string;
  /**
   * The intent that protects the bytes until the row is written; undefined if the bytes are written in the row's
   * transaction.
   */
  readonly intent?: Intent | undefined;
  /** In the transaction that writes the row. */
  attach(unit: UnitOfWork): Promise<void>;
  /** Removes the bytes when no row was committed for them. Never throws: failed removals are left to the sweeper. */
  discard(): Promise<void>;
}

export interface PutHints extends UploadHints {
  /** Called with the type of the content, before anything is stored. */
  check?: (contentType: string) => void;
  /** Called when all of it was read; an error removes the bytes again. */
  verify?: (examined: Examined) => void;
  /** The note of bytes at `location`, if it was made before. */
  intent?: Intent | undefined;
  /** The bytes are durable when these are finished, which the caller has to do. @default they are durable at once */
  writes?: WritesTogether | undefined;
}

/** How bytes are copied. */
export interface CopyHints extends Pick<PutHints, 'location' | 'intent' | 'writes'> {
  /** The limit to the bytes in a second. */
  pace?: Pace | undefined;
  /** Reads of the storage that the file is in. */
  reads?: ReadsTogether | undefined;
}

/** Writes and removes bytes in storages, so that at every moment a row or an intent refers to them. */
@Injectable()
export class ContentStore {
  readonly #logger = new Logger(ContentStore.name);
  readonly #left = new WeakSet<Intent>();

  constructor(
    readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly journal: IntentJournal,
    private readonly removals: ByteRemovals,
  ) {}

  /**
   * Stores the content at a new location. Call `commit` with it next. If this fails, the content is destroyed, and its
   * bytes are removed, or left to the sweeper. Content for a transactional storage is kept in memory.
   */
  async put(source: Readable, storage: Storage, hints: PutHints): Promise<NewContent> {
    storage.require('write');
    if (storage.isTransactional) return this.#collect(source, storage, hints);
    let intent: Intent | undefined;
    const stored = await storeContent(source, storage, hints, async (location, examined) => {
      hints.check?.(examined.contentType);
      intent = await this.#place(storage, location, hints.intent, async () => {
        await storage.write(location, examined.body, hints.writes);
        hints.verify?.(examined);
      });
    });
    return this.#placed(storage, stored, intent);
  }

  /**
   * Copies a file's bytes to a new location, by the storage itself where it can. Otherwise the bytes are linked if
   * possible, or read and written. Throws `FileCorruptError` if their size or hash differs. If it fails before it
   * writes, the caller has to withdraw an intent that it passed.
   */
  async copy(file: ManagedFile, from: Storage, to: Storage, hints: CopyHints = {}): Promise<NewContent> {
    const { pace, reads, ...planned } = hints;
    const { name, contentType, charset, size, hash, hashAlgorithm } = file;
    scanOfCopy(file, this.storages.scannerFor(to.name, file.ownerType));
    if (from === to && !to.isTransactional && to.can('copy')) {
      const location = planned.location ?? to.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
      const intent = await this.#place(to, location, planned.intent, () => to.copy(file.location, location));
      return this.#placed(to, { location, contentType, charset, size, hash, hashAlgorithm }, intent);
    }
    to.require('write');
    const verify = ({ digest }: Examined) => {
      const found = digest(hashAlgorithm);
      if (found.size !== size || found.hash !== hash) throw new FileCorruptError(file.id, from.name);
    };
    const known = { name, contentType, isExamined: true, algorithms: [hashAlgorithm], verify, ...planned };
    const linked = await this.#link(file, from, to, known, hints);
    if (linked) return linked;
    const source = await from.read(file.location);
    return this.put(pace?.through(source) ?? source, to, known);
  }

  /**
   * Gives the bytes a second name in the other storage, and verifies them there. `undefined` where that is not
   * possible.
   */
  async #link(
    file: ManagedFile,
    from: Storage,
    to: Storage,
    { writes, location, intent, verify, ...known }: PutHints,
    { pace, reads }: CopyHints,
  ): Promise<NewContent | undefined> {
    if (from === to || writes?.link === undefined || location === undefined || intent === undefined) return undefined;
    const path = await from.pathOf(file.location, reads);
    if (path === undefined) return undefined;
    let stored: StoredContent | undefined;
    const check = async (content: Bytes): Promise<void> => {
      stored = await storeContent(
        pace?.through(content) ?? content,
        to,
        { ...known, location },
        async (_, examined) => {
          await examined.consume();
          verify?.(examined);
        },
      );
    };
    await this.#place(to, location, intent, async () => void (await to.link(path, location, writes, check)));
    return stored && this.#placed(to, stored, intent);
  }

  /** Reads files outside of the caller's transaction: what others have committed, and none of its own changes. */
  beside(): Promise<EntityManager> {
    return this.journal.beside();
  }

  /**
   * Runs `work`, which writes the row, in one transaction with the content. If it is not committed, the bytes are
   * removed.
   */
  async commit<T>(content: NewContent, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    return this.commitAll([content], work);
  }

  /** As `commit`, for several: all of them stay, or none. */
  async commitAll<T>(contents: readonly NewContent[], work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    return this.keepAll(contents, async (unit) => {
      await this.attachAll(unit, contents);
      return work(unit);
    });
  }

  /**
   * As `commitAll`, but `work` attaches the contents that are to stay. The caller discards the others, once this
   * resolves.
   */
  async keepAll<T>(contents: readonly NewContent[], work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    let isUnitToDiscard = false;
    try {
      return await this.transactor.run(async (unit) => {
        unit.afterRollback(() => this.discardAll(contents));
        isUnitToDiscard = true;
        return work(unit);
      });
    } catch (error) {
      if (!isUnitToDiscard) await this.discardAll(contents);
      throw error;
    }
  }

  /** Ends the intents of the contents, and writes those of transactional storages. The unit has to write their rows. */
  async attachAll(unit: UnitOfWork, contents: readonly NewContent[]): Promise<void> {
    await this.journal.settleAll(
      unit,
      contents.flatMap(({ intent }) => intent ?? []),
    );
    for (const content of contents) if (content.intent === undefined) await content.attach(unit);
  }

  /** Removes stored content that will not be committed. */
  async discardAll(contents: readonly NewContent[]): Promise<void> {
    await Promise.all(contents.map((content) => this.removals.inTurn(() => content.discard())));
  }

  /**
   * Removes bytes that no row refers to once this unit has committed. In a transactional storage they go with the
   * commit; elsewhere after it, in the background, and the sweeper repeats failed removals. Throws
   * `CapabilityMissingError` if a storage cannot remove, and `StorageMarkMismatchedError` if it is another place,
   * before it changes anything. The number of statements does not depend on the number of files.
   */
  async remove(unit: UnitOfWork, files: readonly Pick<ManagedFile, 'storage' | 'location'>[]): Promise<void> {
    const places = files.map((file) => ({ storage: this.storages.of(file), location: file.location }));
    const storages = [...new Set(places.map(({ storage }) => storage))];
    for (const storage of storages) storage.require('remove');
    for (const storage of storages) await storage.assertMarked();
    for (const storage of storages.filter(({ isTransactional }) => isTransactional)) {
      const own = places.filter((place) => place.storage === storage);
      await storage.removeAll(own.map(({ location }) => location));
    }
    const later = places.filter(({ storage }) => !storage.isTransactional);
    const removals = await this.journal.announceRemovals(unit.manager, later);
    unit.afterCommit(() => this.removals.add(removals));
  }

  /** Whether the bytes of a failed write may be there still: its intent is the sweeper's. */
  leaves(intent: Intent): boolean {
    return this.#left.has(intent);
  }

  /**
   * Records an intent, unless there is one, then writes the bytes. If the write fails, the bytes and the intent are
   * removed. If they cannot be removed, or the write may still arrive later, the intent stays for the sweeper.
   */
  async #place(
    storage: Storage,
    location: string,
    noted: Intent | undefined,
    write: () => Promise<void>,
  ): Promise<Intent> {
    const intent = noted ?? (await this.journal.announce(storage, location));
    try {
      await write();
      return intent;
    } catch (error) {
      this.#left.add(intent);
      await this.#tidily(storage, location, async () => {
        // The bytes there belong to somebody else.
        if (!(error instanceof LocationTakenError) && storage.can('remove')) await storage.remove(location);
        // A write whose answer was lost may still arrive, so the intent stays for the sweeper.
        if (error instanceof StorageFailedError) return;
        await intent.withdraw();
        this.#left.delete(intent);
      });
      throw error;
    }
  }

  #placed(storage: Storage, stored: StoredContent, intent: Intent | undefined): NewContent {
    return {
      ...stored,
      storage: storage.name,
      intent,
      attach: async (unit) => intent?.settle(unit),
      discard: async () => {
        await this.#tidily(storage, stored.location, async () => {
          await storage.remove(stored.location);
          await intent?.withdraw();
        });
      },
    };
  }

  /** Takes the content into memory: it is written in the transaction of its row, and none is open while bytes flow. */
  async #collect(source: Readable, storage: Storage, hints: PutHints): Promise<NewContent> {
    let bytes = Buffer.alloc(0);
    const stored = await storeContent(source, storage, hints, async (_, examined) => {
      hints.check?.(examined.contentType);
      bytes = await buffer(examined.body);
      hints.verify?.(examined);
    });
    return {
      ...stored,
      storage: storage.name,
      attach: () => storage.write(stored.location, streamOf(bytes)),
      discard: async () => {},
    };
  }

  async #tidily(storage: Storage, location: string, tidy: () => Promise<void>): Promise<void> {
    try {
      await tidy();
    } catch (error) {
      this.#logger.warn(`"${location}" of storage "${storage.name}" is left to the sweeper: ${String(error)}`);
    }
  }
}
