import { Injectable } from '@nestjs/common';
import {
  UploadBusyError,
  UploadChecksumMismatchedError,
  UploadLengthExceededError,
  UploadNotFoundError,
  UploadOffsetMismatchedError,
} from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { accepted, MAX_HEAD } from './accepted-head.js';
import { withChecked } from './checked-chunk.js';
import type { Appended } from './resumable-types.js';
import { hashed, RunningHashes } from './running-hashes.js';
import { UploadCharges } from './upload-charges.js';
import type { UploadLease } from './upload-lease.js';

/** Appends bytes to uploads, within the limits of the storage and the owner. */
@Injectable()
export class UploadAppends {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly charges: UploadCharges,
    private readonly hashes: RunningHashes,
  ) {}

  /** How many bytes are there, as the storage tells. */
  async offsetOf(row: FileUpload): Promise<number> {
    const { location, handle } = row;
    const storage = this.storages.of(row);
    const offset = await storage.resumable(location, (uploads) => uploads.offset(location, handle ?? ''));
    const found = offset ?? (await storage.stat(location))?.size;
    // Somebody has removed what was there.
    if (found === undefined) throw new UploadNotFoundError(row.id);
    return found;
  }

  /** Throws `UploadOffsetMismatchedError`. */
  assertOffset({ id }: FileUpload, { offset }: Pick<Appended, 'offset'>, expected: number): void {
    if (offset !== expected) throw new UploadOffsetMismatchedError(id, offset, expected);
  }

  /** Throws `UploadLengthExceededError` if the request has bytes, although the upload is complete. */
  async assertNoMore({ id, length, size }: FileUpload, { content }: Pick<Appended, 'content'>): Promise<void> {
    for await (const chunk of content) if (chunk.length > 0) throw new UploadLengthExceededError(id, length ?? size);
  }

  /**
   * Appends bytes to an open upload, whose lease this request has. Resolves to the new offset, also for content that
   * ended early.
   */
  async append(row: FileUpload, appended: Appended, lease: UploadLease): Promise<number> {
    const storage = this.storages.of(row);
    this.assertOffset(row, appended, await this.offsetOf(row));
    if (appended.length !== undefined) await this.charges.announce(row, appended.length, appended.offset);
    try {
      const watched = await this.charges.within(row, storage, appended, lease.watched(appended.content));
      const offset = await this.#checked(row, appended, watched, async (content) =>
        // What is whole may be an object already, behind which nothing can be written, not even nothing.
        appended.offset === row.length
          ? drained(content, appended.offset)
          : this.#store(row, storage, appended, content),
      );
      lease.assertHeld();
      await this.charges.settle(row, offset);
      return offset;
    } catch (error) {
      if (!(error instanceof UploadBusyError)) await this.#settleAfterFailure(row);
      throw error;
    }
  }

  /** What counts too much until the next request does no harm. */
  async #settleAfterFailure(row: FileUpload): Promise<void> {
    if (row.length !== null) return;
    try {
      await this.charges.settle(row, await this.offsetOf(row));
    } catch {
      // The first error is the one to tell.
    }
  }

  async #checked(
    row: FileUpload,
    { checksum, failure }: Appended,
    content: AsyncIterable<Uint8Array>,
    work: (content: AsyncIterable<Uint8Array>) => Promise<number>,
  ): Promise<number> {
    if (!checksum) return work(content);
    const wrong = () => failure() ?? new UploadChecksumMismatchedError(row.id, checksum.algorithm);
    return withChecked(content, checksum, wrong, work);
  }

  async #store(
    row: FileUpload,
    storage: Storage,
    { offset, size }: Appended,
    content: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const { id, location, handle } = row;
    const running = this.hashes.take(id, offset, storage.hashAlgorithm);
    const reached = await storage.resumable(location, async (uploads) => {
      const checked = await this.#accepted(row, storage, offset, content);
      return uploads.append(location, handle ?? '', offset, running ? hashed(checked, running) : checked, size);
    });
    if (running?.offset === reached) this.hashes.keep(id, running);
    return reached;
  }

  /** The same content, whose type is checked as soon as it can be found. */
  async #accepted(
    row: FileUpload,
    storage: Storage,
    offset: number,
    content: AsyncIterable<Uint8Array>,
  ): Promise<AsyncIterable<Uint8Array>> {
    const { location, handle, length, name, contentType, kind } = row;
    // Only the whole of a final upload has a type.
    if (kind === 'partial' || storage.acceptedTypes === undefined || offset >= MAX_HEAD) return content;
    const head =
      offset === 0
        ? Buffer.alloc(0)
        : await storage.resumable(location, (uploads) => uploads.head(location, handle ?? '', MAX_HEAD));
    const said = { name, ...(contentType !== null && { declared: contentType }) };
    return accepted(content, { head, length: length ?? undefined, said }, storage);
  }
}

/** Reads on, so that what is wrong with the content is thrown. */
async function drained(content: AsyncIterable<Uint8Array>, offset: number): Promise<number> {
  let end = offset;
  for await (const chunk of content) end += chunk.length;
  return end;
}
