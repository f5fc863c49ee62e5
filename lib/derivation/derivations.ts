import { addAbortSignal, Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { ContentStore } from '../files/content/content-store.js';
import type { NewContent } from '../files/content/content-store.js';
import { openContent } from '../files/content/open-content.js';
import type { FileContent } from '../files/content/open-content.js';
import { DerivedFiles } from '../files/derived/derived-files.js';
import type { DerivePayload } from '../files/derived/derived-files.js';
import type { DerivedRecipe } from '../files/derived/derived-recipes.js';
import { contentTime, isEmptyStandIn, isOfContent } from '../files/derived/derived-rows.js';
import { cleanFileName } from '../files/file-name.js';
import { DEFAULT_STORAGE, secondAfter } from '../files/file-writer.js';
import { FilesService } from '../files/files.service.js';
import { lockFiles } from '../files/lock-files.js';
import { ManagedFile } from '../files/managed-file.entity.js';
import { insertStoredFile, newFile } from '../files/new-file.js';
import { FILE_OWNER } from '../files/owner-reference.js';
import { isReadable, unscannedBy } from '../files/scan/scan-state.js';
import { StoredHooks } from '../files/stored/stored-hooks.js';
import type { JobContext } from '../jobs/file-job.decorator.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import type { Storage } from '../storage/storage.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';

/** One derivation, from what was read of the original. */
interface Derivation {
  readonly recipe: DerivedRecipe;
  readonly original: ManagedFile;
  /** Whether it takes the place of one that has ended well. */
  readonly again: boolean;
}

/** Derives files: no transaction is open while bytes flow, and one saves the result. */
@Injectable()
export class Derivations {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly files: FilesService,
    private readonly derived: DerivedFiles,
    private readonly contents: ContentStore,
    private readonly hooks: StoredHooks,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /**
   * Throws where nothing could be made, so that the job is tried again. It is no error if the original is gone, has
   * other content by now or is not clean: what changes that queues another job.
   */
  async run(
    recipe: DerivedRecipe,
    { fileId, again = false }: DerivePayload,
    { attempt, signal }: JobContext,
  ): Promise<void> {
    const original = await this.#read(fileId);
    if (!original || !recipe.takes(original) || !isReadable(original)) return;
    const present = await this.derived.of(original, recipe.kind);
    if (present && !again && !isEmptyStandIn(present)) return;
    const derivation = { recipe, original, again };
    // Before the last attempt, and not after it: content that ends the process would be tried for as long as somebody
    // asks.
    if (attempt >= recipe.attempts && !present) await this.#save(derivation, null);
    try {
      await this.#derive(derivation, signal);
    } catch (error) {
      if (isAsBefore(original, await this.#read(fileId))) throw error;
    }
  }

  async #derive(derivation: Derivation, signal: AbortSignal): Promise<void> {
    const { recipe, original } = derivation;
    const content = await this.files.stream(original);
    try {
      // A method that has given up does not listen any more.
      content.on('error', () => {});
      addAbortSignal(signal, content);
      const copy = Object.assign(new ManagedFile(), original, { metadata: structuredClone(original.metadata) });
      const made = (await recipe.make(content, { original: copy, signal })) as FileContent | null;
      if (made instanceof Readable && made !== content) {
        addAbortSignal(signal, made);
        // `content.pipe(made)` would wait for ever.
        content.on('error', (error) => made.destroy(error));
      }
      await this.#save(derivation, made, signal);
    } finally {
      content.destroy();
    }
  }

  /**
   * Saves what was made, or with null that nothing can be. Nothing if that is not true of the original any more, or
   * somebody else was first.
   */
  async #save(derivation: Derivation, made: FileContent | null, signal?: AbortSignal): Promise<void> {
    const content = await this.#store(derivation, made);
    const isSaved = await this.contents.keepAll([content], async (unit) => {
      signal?.throwIfAborted();
      return this.#write(unit, derivation, content);
    });
    if (!isSaved) await this.contents.discardAll([content]);
  }

  async #store({ recipe, original }: Derivation, made: FileContent | null): Promise<NewContent> {
    const { kind } = recipe;
    const name = cleanFileName(recipe.nameFor(original));
    const source = await openContent(made ?? Buffer.alloc(0), `the ${kind} of file ${original.id}`);
    try {
      return await this.contents.put(source, this.#storageFor(recipe, original), {
        name,
        isAccepted: made === null,
      });
    } finally {
      source.destroy();
    }
  }

  async #write(unit: UnitOfWork, { recipe, original, again }: Derivation, content: NewContent): Promise<boolean> {
    const { manager } = unit;
    const { id } = original;
    const [current] = await lockFiles(manager, [id]);
    if (!isAsBefore(original, current)) return false;
    const old = (await this.derived.lockOf(manager, [id])).filter(({ ownerField }) => ownerField === recipe.kind);
    const standing = old.find((file) => isOfContent(file, current));
    const isNothing = content.size === 0;
    if (standing && (isNothing || (!again && !isEmptyStandIn(standing)))) return false;
    await this.derived.remove(unit, old);
    await this.contents.attachAll(unit, [content]);
    const { storage, location, contentType, charset, size, hash, hashAlgorithm } = content;
    const safety = unscannedBy(this.storages.scannerFor(storage, FILE_OWNER));
    const stored = { storage, location, contentType, charset, size, hash, hashAlgorithm, ...safety };
    const file = newFile({ ...stored, name: cleanFileName(recipe.nameFor(current)) }, { type: FILE_OWNER, id });
    Object.assign(file, {
      ownerField: recipe.kind,
      createdAt: new Date(contentTime(current)),
      // In another second than all that was at the address before.
      replacedAt: secondAfter(standing?.replacedAt ?? new Date(contentTime(current))),
    });
    await insertStoredFile(manager, file);
    this.hooks.scan(file);
    return true;
  }

  /** Where bytes can be removed again: the storage of the original may only be read, such as an archive. */
  #storageFor({ storage }: DerivedRecipe, original: ManagedFile): Storage {
    if (storage !== undefined) return this.storages.get(storage);
    const own = this.storages.of(original);
    if (own.can('write') && own.can('remove')) return own;
    const other = this.storages.get(this.defaultStorage);
    // Otherwise the original could not be deleted any more.
    other.require('write', 'remove');
    return other;
  }

  #read(id: string): Promise<ManagedFile | null> {
    return this.transactor.dataSource.getRepository(ManagedFile).findOneBy({ id });
  }
}

/** Whether the file is still there with the content that was read, and that content may be read. */
function isAsBefore(original: ManagedFile, now: ManagedFile | null | undefined): now is ManagedFile {
  return !!now && contentTime(now) === contentTime(original) && isReadable(now);
}
