import { Inject, Injectable } from '@nestjs/common';
import { ContentTypeInvalidError } from '../errors/files.errors.js';
import { ContentStore } from '../files/content/content-store.js';
import { cleanFileName } from '../files/file-name.js';
import { DEFAULT_STORAGE } from '../files/file-writer.js';
import { FilesAddresses } from '../files/files-addresses.js';
import { openContent } from '../files/content/open-content.js';
import type { FileContent } from '../files/content/open-content.js';
import { unscannedBy } from '../files/scan/scan-state.js';
import type { OwnerTypeName } from '../files/owner-type-name.js';
import { Quotas } from '../ownership/quotas/quotas.js';
import { parseContentType } from '../storage/content-type.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { currentUnit } from '../unit-of-work/unit-of-work.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';
import { StagedFile } from './staged-file.js';

/** The name and the storage of a staged file. */
export interface StageOptions {
  /** The name that people see. Throws `FileNameInvalidError` for a name that no file may have. */
  name: string;
  /** @default the `defaultStorage` of the module */
  storage?: string | undefined;
  /** The content type that the client declares: a hint where the bytes cannot tell. */
  contentType?: string | undefined;
  /** The future owner of the file, if known. Bytes beyond its quota are not stored. */
  ownerType?: OwnerTypeName | undefined;
}

/**
 * Stores bytes for files that a unit of work is going to make: before it is opened, so that it is short, or within it.
 * @example queue.add(new UploadAndAttachTask(await staging.stage(content, { name }), 'package', { field: 'coverId' }));
 */
@Injectable()
export class FileStaging {
  /** @internal */
  constructor(
    private readonly contents: ContentStore,
    private readonly storages: StorageRegistry,
    private readonly addresses: FilesAddresses,
    private readonly quotas: Quotas,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /**
   * Stores the content: counted, hashed, its type found and checked. A file that was staged in a unit of work is
   * removed unless that unit attaches it. Outside of a unit, call `end()` if it is not attached; otherwise the sweeper
   * removes the bytes after its grace period.
   */
  async stage(content: FileContent, options: StageOptions): Promise<StagedFile> {
    const unit = currentUnit();
    const source = await openContent(content, `the file "${options.name}"`);
    try {
      const storage = this.storages.get(options.storage ?? this.defaultStorage);
      const name = cleanFileName(options.name);
      const contentType = readDeclared(options.contentType);
      const stored = await this.contents.put(source, storage, {
        name,
        ...(contentType && { contentType }),
        room: options.ownerType === undefined ? undefined : this.quotas.roomOfType(options.ownerType),
      });
      const { scan } = unscannedBy(this.storages.scannerFor(storage.name, options.ownerType));
      const file = new StagedFile(stored, name, scan, (staged) => this.#addressOf(staged));
      await this.#endWith(unit, file);
      return file;
    } finally {
      source.destroy();
    }
  }

  async #endWith(unit: UnitOfWork | undefined, file: StagedFile): Promise<void> {
    try {
      unit?.afterRollback(() => file.end());
      unit?.afterCommit(() => file.end());
    } catch (error) {
      // The unit has ended while the bytes were on their way.
      await file.end();
      throw error;
    }
  }

  async #addressOf({ id, content }: StagedFile): Promise<string> {
    const storage = this.storages.get(content.storage);
    const route = storage.can('publicUrl') ? undefined : this.addresses.contentOf(id);
    return route ?? storage.publicUrl(content.location);
  }
}

function readDeclared(contentType: string | undefined): string | undefined {
  const type = contentType === undefined ? undefined : parseContentType(contentType);
  if (contentType !== undefined && type === undefined) throw new ContentTypeInvalidError(contentType);
  return type;
}
