import type { Readable } from 'node:stream';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { type UploadTrace, uploadTrace } from '../diagnostics/traces.js';
import { FileChangedError, FileTypeChangedError } from '../errors/files.errors.js';
import type { Storage } from '../storage/storage.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { ActorSource } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';
import { ContentStore } from './content/content-store.js';
import type { NewContent, PutHints } from './content/content-store.js';
import { DerivedFiles } from './derived/derived-files.js';
import { uuidV7 } from './file-id.js';
import { cleanFileName } from './file-name.js';
import type { CopyFileOptions, CreateFileOptions, NewFile, ReplaceOptions } from './file-options.js';
import { locationKey } from '../storage/location-key.js';
import { lockFile } from './lock-files.js';
import { ManagedFile } from './managed-file.entity.js';
import { insertStoredFiles, newFile } from './new-file.js';
import type { StoredFile } from './new-file.js';
import { openContent } from './content/open-content.js';
import { noteReplaced } from './content/own-replacements.js';
import { assertOwnerReference, ownerOf } from './owner-reference.js';
import type { OwnerReference } from './owner-reference.js';
import { readContentType } from './read-content-type.js';
import { OwnershipPort } from './ownership-port.js';
import { verdictsOfCopies } from './scan/copied-verdicts.js';
import { scanOfCopy, unscannedBy } from './scan/scan-state.js';
import type { ScanFields } from './scan/scan-state.js';
import type { StoringOperation } from './stored/on-file-stored.decorator.js';
import { StoredHooks } from './stored/stored-hooks.js';
import type { Pace } from './content/pace.js';
import type { Room } from './content/room.js';
import { Drafts } from './drafts/drafts.js';

/** The name of the storage that is used when none is named. */
export const DEFAULT_STORAGE = Symbol('DEFAULT_STORAGE');

/** Makes rows refer to new bytes: creates, replaces, copies and moves files. */
@Injectable()
export class FileWriter {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly actors: ActorSource,
    private readonly ownership: OwnershipPort,
    private readonly contents: ContentStore,
    private readonly drafts: Drafts,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Optional() private readonly hooks?: StoredHooks,
    @Optional() private readonly derived?: DerivedFiles,
  ) {}

  async create(source: Readable, options: CreateFileOptions): Promise<ManagedFile> {
    return this.#add(await this.#put(source, options));
  }

  /** All of the files, in their order, or none. The contents are stored one after the other, as they come. */
  async createAll(files: AsyncIterable<NewFile>): Promise<ManagedFile[]> {
    const stored: Stored[] = [];
    try {
      for await (const { content, ...options } of files) {
        const source = await openContent(content, `the file "${options.name}"`);
        try {
          stored.push(await this.#put(source, options, stored));
        } finally {
          source.destroy();
        }
      }
    } catch (error) {
      await this.contents.discardAll(stored.map(({ content }) => content));
      throw error;
    }
    return this.#addAll(stored);
  }

  async replace(file: ManagedFile, source: Readable, options: ReplaceOptions): Promise<ManagedFile> {
    const { force = false, allow, size } = options;
    const storage = this.storages.of(file);
    storage.require('write', 'remove');
    const { id, name, contentType } = file;
    const check = (found: string) => {
      if (found !== contentType) throw new FileTypeChangedError(id, contentType, found);
    };
    const more = { bytes: (size ?? 0) - file.size, count: 0 };
    // The old bytes make room for the new ones.
    const room = (await this.ownership.roomFor(ownerOf(file), more))?.without(-file.size);
    const content = await uploadTrace.run(
      () => ({ operation: 'replace', storage: storage.name, fileId: id }),
      (trace) => this.#receive(source, storage, { name, contentType, isExamined: true, check, room }, trace),
    );
    return this.contents.commit(content, async (unit) => {
      const current = await lockFile(unit.manager, id, { operation: 'replacing its content', force });
      if (current.storage !== storage.name) throw new FileChangedError([id]);
      check(current.contentType);
      await allow?.(current);
      const replacedAt = secondAfter(current.replacedAt ?? current.createdAt);
      const expiresAt = this.drafts.expiryOfReplaced(current);
      const unscanned = unscannedBy(this.storages.scannerFor(storage.name, current.ownerType));
      const replaced = await this.#refer(unit, current, content, { replacedAt, expiresAt, ...unscanned });
      noteReplaced(unit, replaced);
      await this.derived?.removeOf(unit, id);
      await this.hooks?.run(replaced, 'replace');
      return replaced;
    });
  }

  async copy(file: ManagedFile, options: CopyFileOptions): Promise<ManagedFile> {
    const to = options.storage === undefined ? this.storages.of(file) : this.storages.get(options.storage);
    const name = cleanFileName(options.name ?? file.name);
    const owner = await this.#ownerOf(options.owner);
    await this.ownership.roomFor(owner, { bytes: file.size, count: 1 });
    const content = await this.contents.copy(file, this.storages.of(file), to);
    const metadata = structuredClone(file.metadata);
    return this.#add({ id: uuidV7(), operation: 'copy', content, name, owner, metadata, original: file });
  }

  async move(file: ManagedFile, storage: string, pace?: Pace): Promise<ManagedFile> {
    const to = this.storages.get(storage);
    const from = this.storages.of(file);
    if (from === to) return file;
    from.require('remove');
    const content = await this.contents.copy(file, from, to, { pace });
    return this.contents.commit(content, async (unit) => {
      const current = await lockFile(unit.manager, file.id);
      const isSame = current.storage === file.storage && current.location === file.location;
      if (!isSame) throw new FileChangedError([file.id]);
      // The scan state comes from the locked row, because a scan may have ended while the bytes were copied.
      const moved = await this.#refer(
        unit,
        current,
        content,
        scanOfCopy(current, this.storages.scannerFor(to.name, current.ownerType)),
      );
      this.hooks?.scan(moved);
      return moved;
    });
  }

  /** No transaction is open while bytes flow, unless the caller's own. */
  async #put(source: Readable, options: CreateFileOptions, before: readonly Stored[] = []): Promise<Stored> {
    const storage = this.storages.get(options.storage ?? this.defaultStorage);
    storage.require('write');
    const name = cleanFileName(options.name);
    const contentType = readContentType(options.contentType);
    const { actor, owner = actor, draft = false } = options;
    const id = uuidV7();
    const stored = { id, operation: 'create' as const, name, owner: await this.#ownerOf(owner), actor, draft };
    const room = await this.#roomFor(stored.owner, options.room ?? 0, before);
    const content = await uploadTrace.run(
      () => ({ operation: 'create', storage: storage.name, fileId: id }),
      (trace) => this.#receive(source, storage, { name, contentType, room }, trace),
    );
    return { ...stored, content };
  }

  /** How much of the owner's quota remains if the earlier files of the same call are counted, too. */
  async #roomFor(
    owner: OwnerReference | null,
    announced: number,
    before: readonly Stored[],
  ): Promise<Room | undefined> {
    const own = before.filter((one) => one.owner?.type === owner?.type && one.owner?.id === owner?.id);
    const taken = own.reduce((sum, { content }) => sum + content.size, 0);
    const more = { bytes: Math.max(announced, taken), count: own.length + 1 };
    return (await this.ownership.roomFor(owner, more))?.without(taken);
  }

  async #receive(source: Readable, storage: Storage, hints: PutHints, trace?: UploadTrace): Promise<NewContent> {
    const content = await this.contents.put(source, storage, hints);
    if (trace) Object.assign(trace, { bytes: content.size, contentType: content.contentType });
    return content;
  }

  async #add(stored: Stored): Promise<ManagedFile> {
    const [file] = await this.#addAll([stored]);
    return file as ManagedFile;
  }

  async #addAll(stored: readonly Stored[]): Promise<ManagedFile[]> {
    const contents = stored.map(({ content }) => content);
    return this.contents.commitAll(contents, async ({ manager }) => {
      const files: ManagedFile[] = [];
      for (const { id, content, name, owner, metadata = null, draft = false, original } of stored) {
        const expiresAt = draft ? this.drafts.expiryOfNew(owner) : null;
        const scanner = this.storages.scannerFor(content.storage, owner?.type);
        const [verdict] = original ? await verdictsOfCopies(manager, [{ file: original, scanner }]) : [];
        const bytes = { ...bytesOf(content), ...(verdict ?? unscannedBy(scanner)) };
        files.push(Object.assign(newFile({ ...bytes, name }, owner, id), { metadata, expiresAt }));
      }
      await insertStoredFiles(manager, files);
      const actors = new Map(stored.map(({ id, actor }) => [id, actor]));
      await this.ownership.onCreateAll(files, manager, ({ id }) => actors.get(id));
      for (const [at, { operation }] of stored.entries()) await this.hooks?.run(files[at] as ManagedFile, operation);
      return files;
    });
  }

  /** Makes the row refer to the new bytes, and removes the old ones. */
  async #refer(
    unit: UnitOfWork,
    file: ManagedFile,
    content: NewContent,
    further: ScanFields & Partial<Pick<ManagedFile, 'replacedAt' | 'expiresAt'>>,
  ): Promise<ManagedFile> {
    const changes = { ...bytesOf(content), ...further, locationKey: locationKey(content.location), storageData: null };
    await unit.manager.update(ManagedFile, { id: file.id }, changes);
    await this.contents.remove(unit, [file]);
    const { size } = file;
    Object.assign(file, changes);
    if (file.size !== size) await this.ownership.onResize(file, size, unit.manager);
    return file;
  }

  async #ownerOf(owner: OwnerReference | null | undefined): Promise<OwnerReference | null> {
    if (owner) assertOwnerReference(owner);
    return owner === undefined ? this.actors.current() : owner;
  }
}

type Bytes = Omit<StoredFile, 'name' | keyof ScanFields>;

/** Stored content whose row is not written yet, and the values of that row. */
interface Stored {
  /** The id of the file that will be. */
  id: string;
  operation: StoringOperation;
  content: NewContent;
  name: string;
  owner: OwnerReference | null;
  actor?: Actor | null | undefined;
  metadata?: ManagedFile['metadata'];
  original?: ManagedFile;
  draft?: boolean;
}

function bytesOf(content: NewContent): Bytes {
  const { storage, location, contentType, charset, size, hash, hashAlgorithm } = content;
  return { storage, location, contentType, charset, size, hash, hashAlgorithm };
}

// `Last-Modified` has a resolution of one second, so each content of a file needs a second of its own.
export function secondAfter(last: Date): Date {
  return new Date(Math.max(Date.now(), (Math.floor(last.getTime() / 1000) + 1) * 1000));
}
