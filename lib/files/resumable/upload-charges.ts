import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import { UploadBusyError, UploadLengthExceededError, UploadNotFoundError } from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { OwnershipPort } from '../ownership-port.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import type { Appended } from './resumable-types.js';
import { ownerOf } from '../owner-reference.js';

// So many bytes of a request that does not say how many it has count before they come.
const STEP = 4 * 1024 * 1024;

/**
 * Keeps uploads within the limits of the storage and the owner. An announced length counts from the beginning; the
 * bytes of an upload of unknown length count before they are stored, so that many requests at once cannot store more
 * than all of them may.
 */
@Injectable()
export class UploadCharges {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
  ) {}

  /** The client tells the length only now. */
  async announce(row: FileUpload, length: number, offset: number): Promise<void> {
    if (row.length === length) return;
    const refuse = (why: string) => new RequestInvalidError('header Upload-Length', [why]);
    if (row.length !== null) throw refuse(`the upload was announced with ${row.length} bytes`);
    if (length < offset) throw refuse(`${offset} bytes are there already`);
    const { name, maxSize } = this.storages.of(row);
    if (maxSize !== undefined && length > maxSize) throw new FileTooLargeError(name, maxSize);
    await this.#charge(row, length, { length });
    row.length = length;
  }

  /**
   * The same chunks, each of which counts already; throws before one that would lead beyond a limit, and at once where
   * the request says so.
   */
  async within(
    row: FileUpload,
    storage: Storage,
    appended: Appended,
    content: AsyncIterable<Uint8Array>,
  ): Promise<AsyncIterable<Uint8Array>> {
    const limit = await this.#limitOf(row, storage, appended);
    const { offset, size = 0 } = appended;
    if (offset + size > limit.offset) throw limit.exceeded(offset + size);
    return this.#counted(row, appended, content, limit);
  }

  /** So many bytes of an upload of unknown length are there. */
  async settle(row: FileUpload, offset: number): Promise<void> {
    if (row.length === null) await this.#charge(row, offset);
  }

  async *#counted(
    row: FileUpload,
    { offset: begin, size }: Appended,
    content: AsyncIterable<Uint8Array>,
    limit: Limit,
  ): AsyncGenerator<Uint8Array, void> {
    let offset = begin;
    for await (const chunk of content) {
      const next = begin + (size ?? offset - begin + STEP);
      offset += chunk.length;
      if (offset > limit.offset) throw limit.exceeded(offset);
      if (row.length === null && offset > row.size)
        await this.#charge(row, Math.max(offset, Math.min(next, limit.offset)));
      yield chunk;
    }
  }

  /**
   * Counts so many bytes for the owner, in all. Throws `UploadNotFoundError` where the upload has ended: they count no
   * more. Throws `UploadBusyError` where another request has counted since the row was read.
   */
  async #charge(row: FileUpload, size: number, further: Partial<FileUpload> = {}): Promise<void> {
    const { id } = row;
    if (size === row.size && Object.keys(further).length === 0) return;
    await this.transactor.run(async ({ manager }) => {
      const open = { id, endedAt: IsNull() };
      // The owner is charged the difference to what the row says.
      const { affected } = await manager.update(FileUpload, { ...open, size: row.size }, { size, ...further });
      if (affected !== 1)
        throw (await manager.existsBy(FileUpload, open)) ? new UploadBusyError(id) : new UploadNotFoundError(id);
      await this.ownership.onReserve(ownerOf(row), { bytes: size - row.size, count: 0 }, manager);
    });
    row.size = size;
  }

  /** How far the upload may go, in bytes from its beginning. */
  async #limitOf(row: FileUpload, { name, maxSize = Infinity }: Storage, appended: Appended): Promise<Limit> {
    const { id, length, size } = row;
    if (length !== null) return { offset: length, exceeded: () => new UploadLengthExceededError(id, length) };
    const more = Math.max(0, appended.offset + (appended.size ?? 0) - size);
    const room = await this.ownership.roomFor(ownerOf(row), { bytes: more, count: 0 });
    if (room && size + room.bytes < maxSize)
      return { offset: size + room.bytes, exceeded: (offset) => room.exceeded(offset - size) };
    return { offset: maxSize, exceeded: () => new FileTooLargeError(name, maxSize) };
  }
}

interface Limit {
  readonly offset: number;
  exceeded(offset: number): Error;
}
