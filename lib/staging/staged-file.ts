import type { NewContent } from '../files/content/content-store.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { uuidV7 } from '../files/file-id.js';
import type { FileSnapshot } from '../ownership/statements/transfer-statements.js';
import type { UnitOfWork } from '../unit-of-work/unit-of-work.js';

/** The row that a unit of work has written. */
interface Attached {
  readonly file: ManagedFile;
  readonly root: UnitOfWork;
  readonly isUndone: () => boolean;
}

/** Where a file can be fetched; throws where that is nowhere. */
export type FileAddress = (file: StagedFile) => Promise<string>;

/**
 * A file whose bytes are stored and that is in no table yet. `UploadAndAttachTask` makes it a file; otherwise its bytes
 * are removed. Only the library makes these: nothing that a client sends is one.
 */
export class StagedFile {
  /** The id that the file will have. */
  readonly id: string = uuidV7();
  /** As it will be kept. */
  readonly name: string;
  /** The name of the storage. */
  readonly storage: string;
  /** The content type of the bytes. */
  readonly contentType: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly hash: string;
  /** An algorithm of `node:crypto`. */
  readonly hashAlgorithm: string;
  readonly #content: NewContent;
  readonly #scan: FileSnapshot['scan'];
  readonly #address: FileAddress;
  readonly #attachments = new Set<Attached>();
  #isOver = false;

  /** @internal */
  constructor(content: NewContent, name: string, scan: FileSnapshot['scan'], address: FileAddress) {
    this.name = name;
    this.storage = content.storage;
    this.contentType = content.contentType;
    this.size = content.size;
    this.hash = content.hash;
    this.hashAlgorithm = content.hashAlgorithm;
    this.#content = content;
    this.#scan = scan;
    this.#address = address;
  }

  /** Whether a unit of work that still stands has made it a file. */
  get isAttached(): boolean {
    return this.#standing().length > 0;
  }

  /**
   * The bytes, for the code that writes the row.
   * @internal
   */
  get content(): NewContent {
    return this.#content;
  }

  /** Where everybody may fetch it, or the application's own route to its content. */
  address(): Promise<string> {
    return this.#address(this);
  }

  /**
   * The file that this transaction has made of it already, be it in a nested unit of work.
   * @internal
   */
  fileIn({ root }: UnitOfWork): ManagedFile | undefined {
    return this.#standing().find((one) => one.root === root)?.file;
  }

  /**
   * Says that the unit makes it this file; it is one until that is undone. Another unit may do so again then.
   * @internal
   */
  attachedIn(unit: UnitOfWork, file: ManagedFile): void {
    const attached = { file, root: unit.root, isUndone: unit.watch() };
    this.#attachments.add(attached);
    unit.afterRollback(async () => {
      this.#attachments.delete(attached);
      if (this.#isOver && !this.isAttached) await this.#content.discard();
    });
  }

  /** Removes the bytes if the file was not attached, now or once a unit that attached it is undone. Never throws. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.isAttached) await this.#content.discard();
  }

  /**
   * As constraints see it: an unowned file.
   * @internal
   */
  toSnapshot(): FileSnapshot {
    const { id, storage, contentType, size } = this;
    return {
      id,
      storage,
      contentType,
      size,
      ownerType: null,
      ownerId: null,
      ownerField: null,
      pinned: false,
      scan: this.#scan,
      replacedAt: 0,
      isDraft: false,
    };
  }

  #standing(): Attached[] {
    return [...this.#attachments].filter(({ isUndone }) => !isUndone());
  }
}
