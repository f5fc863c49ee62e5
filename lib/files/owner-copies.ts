import { Injectable, Optional } from '@nestjs/common';
import { FileChangedError } from '../errors/files.errors.js';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ContentCopies } from './content/content-copies.js';
import type { Copied, Uncopied } from './content/content-copies.js';
import { ContentStore } from './content/content-store.js';
import { ManagedFile } from './managed-file.entity.js';
import { insertFiles, newFile } from './new-file.js';
import type { OwnerReference } from './owner-reference.js';
import { OwnershipPort } from './ownership-port.js';
import { verdictsOfCopies } from './scan/copied-verdicts.js';
import type { ScanFields } from './scan/scan-state.js';
import { StoredHooks } from './stored/stored-hooks.js';

/** Copies the files of an owner for another one. */
@Injectable()
export class OwnerCopies {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly contents: ContentStore,
    private readonly copies: ContentCopies,
    @Optional() private readonly hooks?: StoredHooks,
  ) {}

  /** All of the files, in one commit, or none. The number of statements does not depend on their number. */
  async copy(from: OwnerReference, to: OwnerReference, concurrency: number): Promise<Map<string, string>> {
    const files = await this.transactor.dataSource
      .getRepository(ManagedFile)
      .find({ where: { ownerType: from.type, ownerId: from.id }, order: { id: 'ASC' } });
    if (files.length === 0) return new Map();
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    await this.ownership.roomFor(to, { bytes, count: files.length });
    const copied = await this.#copyAll(files, concurrency);
    let rows: ManagedFile[] = [];
    await this.contents.commitAll(
      copied.map(({ content }) => content),
      async ({ manager }) => {
        const verdicts = await verdictsOfCopies(
          manager,
          copied.map(({ file }) => ({ file, scanner: this.storages.scannerFor(file.storage, to.type) })),
        );
        rows = copied.map((copy, at) => rowOf(copy, to, verdicts[at] as ScanFields));
        await insertFiles(manager, rows);
        await this.ownership.onCreateAll(rows, manager);
        for (const row of rows) await this.hooks?.run(row, 'copy');
      },
    );
    return new Map(copied.map(({ file }, at) => [file.id, (rows[at] as ManagedFile).id]));
  }

  async #copyAll(files: readonly ManagedFile[], concurrency: number): Promise<Copied[]> {
    const { copied, uncopied } = await this.copies.copy(files, (file) => this.storages.of(file), { concurrency });
    const [failed] = uncopied;
    if (failed === undefined) return copied;
    await this.contents.discardAll(copied.map(({ content }) => content));
    throw await this.#reasonOf(failed);
  }

  /** The error, or that the file was replaced or moved since its row was read, so that its bytes were gone. */
  async #reasonOf({ file: { id, storage, location }, error }: Uncopied): Promise<unknown> {
    if (!(error instanceof LocationNotFoundError)) return error;
    const isThere = await this.transactor.dataSource.getRepository(ManagedFile).existsBy({ id, storage, location });
    return isThere ? error : new FileChangedError([id], { cause: error });
  }
}

/** The row of a copy: it has what the original has, but for its owner. */
function rowOf({ file, content }: Copied, owner: OwnerReference, safety: ScanFields): ManagedFile {
  const { name, ownerField, pinned, metadata } = file;
  const { storage, location, contentType, charset, size, hash, hashAlgorithm } = content;
  const stored = { name, storage, location, contentType, charset, size, hash, hashAlgorithm, ...safety };
  return Object.assign(newFile(stored, owner), { ownerField, pinned, metadata: structuredClone(metadata) });
}
