import { Injectable } from '@nestjs/common';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import {
  UploadChecksumMismatchedError,
  UploadLengthExceededError,
  UploadNotFoundError,
  UploadOffsetMismatchedError,
} from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { OwnershipPort } from '../ownership-port.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { ownerOf } from '../uploads/upload-rows.js';
import { accepted, MAX_HEAD } from './accepted-head.js';
import { withChecked } from './checked-chunk.js';
import type { Appended } from './resumable-types.js';
import { hashed, RunningHashes } from './running-hashes.js';
import type { UploadLease } from './upload-lease.js';

/** Appends bytes to uploads, within the limits of the storage and the owner. */
@Injectable()
export class UploadAppends {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly ownership: OwnershipPort,
    private readonly hashes: RunningHashes,
  ) {}

  /** How many bytes are there, as the storage tells. */
  async offsetOf(row: FileUpload): Promise<number> {
    const { location, handle } = row;
    const storage = this.storages.of(row);
    const offset = await storage.resumable(location, (place) => place.offset(location, handle ?? ''));
    const found = offset ?? (await storage.stat(location))?.size;
    // Somebody has removed what was there.
    if (found === undefined) throw new UploadNotFoundError(row.id);
    return found;
  }

  /** Throws `UploadOffsetMismatchedError`. */
  assertOffset({ id }: FileUpload, { offset }: Pick<Appended, 'offset'>, expected: number): void {
    if (offset !== expected) throw new UploadOffsetMismatchedError(id, offset, expected);
  }

  /** Appends bytes to an open upload, whose lease this request has. Resolves to the new offset, also for content that ended early. */
  async append(row: FileUpload, appended: Appended, lease: UploadLease): Promise<number> {
    const storage = this.storages.of(row);
    this.assertOffset(row, appended, await this.offsetOf(row));
    if (appended.length !== undefined) await this.#announce(row, appended.length, appended.offset);
    const limit = await this.#limitOf(row, storage, appended);
    if (appended.offset + (appended.size ?? 0) > limit.offset)
      throw limit.exceeded(appended.offset + (appended.size ?? 0));
    const watched = within(lease.watched(appended.content), appended.offset, limit);
    const offset = await this.#checked(row, appended, watched, async (content) =>
      // What is whole may be an object already, behind which nothing can be written, not even nothing.
      appended.offset === row.length ? drained(content, appended.offset) : this.#store(row, storage, appended, content),
    );
    lease.assertHeld();
    // The length is still to come, so that the bytes count as they come.
    if (row.length === null) await this.#charge(row, offset);
    return offset;
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
    { offset }: Appended,
    content: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const { id, location, handle } = row;
    const running = this.hashes.take(id, offset, storage.hashAlgorithm);
    const reached = await storage.resumable(location, async (place) => {
      const checked = await this.#accepted(row, storage, offset, content);
      return place.append(location, handle ?? '', offset, running ? hashed(checked, running) : checked);
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
        : await storage.resumable(location, (place) => place.head(location, handle ?? '', MAX_HEAD));
    const said = { name, ...(contentType !== null && { declared: contentType }) };
    return accepted(content, { head, length: length ?? undefined, said }, storage);
  }

  /** The client tells the length only now. */
  async #announce(row: FileUpload, length: number, offset: number): Promise<void> {
    if (row.length === length) return;
    const refuse = (why: string) => new RequestInvalidError('header Upload-Length', [why]);
    if (row.length !== null) throw refuse(`the upload was announced with ${row.length} bytes`);
    if (length < offset) throw refuse(`${offset} bytes are there already`);
    const { name, maxSize } = this.storages.of(row);
    if (maxSize !== undefined && length > maxSize) throw new FileTooLargeError(name, maxSize);
    await this.#charge(row, length, { length });
    row.length = length;
  }

  /** Counts so many bytes for the owner, in all. */
  async #charge(row: FileUpload, size: number, further: Partial<FileUpload> = {}): Promise<void> {
    if (size === row.size && Object.keys(further).length === 0) return;
    await this.transactor.run(async ({ manager }) => {
      await manager.update(FileUpload, { id: row.id }, { size, ...further });
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

/** Reads on, so that what is wrong with the content is thrown. */
async function drained(content: AsyncIterable<Uint8Array>, offset: number): Promise<number> {
  let end = offset;
  for await (const chunk of content) end += chunk.length;
  return end;
}

interface Limit {
  readonly offset: number;
  exceeded(offset: number): Error;
}

/** The same chunks; throws before one that would lead beyond the limit. */
async function* within(
  content: AsyncIterable<Uint8Array>,
  begin: number,
  limit: Limit,
): AsyncGenerator<Uint8Array, void> {
  let offset = begin;
  for await (const chunk of content) {
    offset += chunk.length;
    if (offset > limit.offset) throw limit.exceeded(offset);
    yield chunk;
  }
}
