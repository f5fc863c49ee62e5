import { createHash } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { IsNull } from 'typeorm';
import type { FindOptionsWhere } from 'typeorm';
import { FileTooLargeError } from '../../errors/files.errors.js';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import { UploadIncompleteError, UploadNotFoundError } from '../../errors/uploads.errors.js';
import type { Storage } from '../../storage/storage.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ByActor } from '../uploads/direct-upload-types.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { UploadCompletion } from '../uploads/upload-completion.js';
import { UploadEndings } from '../uploads/upload-endings.js';
import { findRow } from '../uploads/upload-rows.js';
import { ResumableBeginnings } from './resumable-beginnings.js';
import { stateOf } from './resumable-state.js';
import type { ConcatenateUploads, ResumableState } from './resumable-types.js';
import { hashed } from './running-hashes.js';
import { UploadAppends } from './upload-appends.js';

/** Joins partial uploads to a file. */
@Injectable()
export class UploadJoins {
  constructor(
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly beginnings: ResumableBeginnings,
    private readonly appends: UploadAppends,
    private readonly completion: UploadCompletion,
    private readonly endings: UploadEndings,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * Makes an upload, and a file, of partial ones, which end with it. The same request again gives the same upload and
   * file; of several at once, one makes them.
   */
  async join(options: ConcatenateUploads): Promise<ResumableState> {
    try {
      return await this.#join(options);
    } catch (error) {
      // The parts have ended with the file, if they have made one. The answer to the request before may have been lost.
      const joined = error instanceof UploadNotFoundError ? await this.#joinedBefore(options) : undefined;
      if (!joined) throw error;
      const file = await this.completion.fileOf(joined);
      return stateOf(joined, file, file.size);
    }
  }

  async #join({ parts: ids, ...options }: ConcatenateUploads): Promise<ResumableState> {
    const by = { actor: options.actor };
    const parts: FileUpload[] = [];
    for (const id of ids) parts.push(await this.#completePart(id, by, options.storage));
    const length = parts.reduce((sum, part) => sum + (part.length ?? 0), 0);
    this.#assertFits(length, options.storage);
    // The parts count for the owner until the file does.
    const row = await this.beginnings.enter({ ...options, size: 0 }, (entered) =>
      Object.assign(entered, { kind: 'final', length, parts: listOf(ids) }),
    );
    const storage = this.storages.of(row);
    try {
      const hash = await fill(row, storage, parts);
      return stateOf(row, await this.completion.complete(row, hash), length);
    } catch (error) {
      await this.endings.giveUp(row);
      throw (await this.#haveEnded(parts)) ? new UploadNotFoundError(ids[0]) : error;
    }
  }

  async #completePart(id: string, by: ByActor, storage: string): Promise<FileUpload> {
    const row = await findRow(this.transactor.dataSource.manager, id, { by, now: this.now(), isResumable: true });
    if (row.endedAt) throw new UploadNotFoundError(id);
    const refuse = (why: string) => new RequestInvalidError('header Upload-Concat', [`upload ${id} ${why}`]);
    if (row.kind !== 'partial') throw refuse('is not partial');
    if (row.storage !== storage) throw refuse(`is in another storage than the final upload, in "${row.storage}"`);
    const { location, handle } = row;
    try {
      if ((await this.appends.offsetOf(row)) !== row.length) throw new UploadIncompleteError(id, [1]);
      await this.storages.of(row).resumable(location, (uploads) => uploads.finish(location, handle ?? ''));
    } catch (error) {
      throw (await this.#haveEnded([row])) ? new UploadNotFoundError(id) : error;
    }
    return row;
  }

  #assertFits(length: number, name: string): void {
    const { maxSize } = this.storages.get(name);
    if (maxSize !== undefined && length > maxSize) throw new FileTooLargeError(name, maxSize);
  }

  /** Whether one of the parts has ended since, so that its bytes were removed while they were read. */
  async #haveEnded(parts: readonly FileUpload[]): Promise<boolean> {
    for (const { id } of parts) if (!(await this.#rows.existsBy({ id, endedAt: IsNull() }))) return true;
    return false;
  }

  /** The upload of the same request, that has become a file. */
  async #joinedBefore({ parts, storage, metadata, actor }: ConcatenateUploads): Promise<FileUpload | undefined> {
    const [type, id] = [actor?.type ?? IsNull(), actor?.id ?? IsNull()];
    const where: FindOptionsWhere<FileUpload> = {
      actorType: type,
      actorId: id,
      // Whoever begins a resumable upload owns it, and there is an index of owners.
      ownerType: type,
      ownerId: id,
      kind: 'final',
      storage,
      parts: listOf(parts),
    };
    const found = await this.#rows.find({ where, order: { id: 'ASC' } });
    for (const row of found) {
      const isSame =
        row.endedAt !== null && row.metadata === (metadata ?? null) && row.expiresAt.getTime() > this.now();
      // One that was given up has ended, too, and has no file.
      if (isSame && (await this.completion.hasFile(row))) return row;
    }
    return undefined;
  }

  get #rows() {
    return this.transactor.dataSource.getRepository(FileUpload);
  }
}

/** The ids as the row has them. */
function listOf(ids: readonly string[]): string {
  return ids.map((id) => id.toLowerCase()).join(' ');
}

/** Gives the upload the bytes of the parts. Resolves to their hash, unless the storage has joined them itself. */
async function fill(
  { location, handle }: FileUpload,
  storage: Storage,
  parts: readonly FileUpload[],
): Promise<string | undefined> {
  const objects = parts.map((part) => ({ location: part.location, size: part.length ?? 0 }));
  const running = { offset: 0, hash: createHash(storage.hashAlgorithm) };
  return storage.resumable(location, async (uploads) => {
    if (await uploads.join?.(location, handle ?? '', objects)) return undefined;
    await uploads.append(location, handle ?? '', 0, hashed(contentOf(parts, storage), running));
    return running.hash.digest('hex');
  });
}

async function* contentOf(parts: readonly FileUpload[], storage: Storage): AsyncGenerator<Uint8Array, void> {
  for (const { location } of parts) yield* (await storage.read(location)) as AsyncIterable<Uint8Array>;
}
