import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import { ActorSource } from '../../actor/actor.js';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import { ResumableUploads } from '../../files/resumable/resumable-uploads.js';
import type { ResumableState } from '../../files/resumable/resumable-types.js';
import { UploadJoins } from '../../files/resumable/upload-joins.js';
import { UploadStreamExpectedError } from '../../errors/uploads.errors.js';
import { UPLOAD_IDLE_TIMEOUT } from '../form/arrival.js';
import { orDiscard } from '../form/discard-rest.js';
import { rawRequest } from '../form/raw-body.js';
import { receiveChunk } from './chunk-body.js';
import {
  assertTusVersion,
  bytesIn,
  checksumIn,
  concatIn,
  hasBytes,
  headerOf,
  lengthIn,
  metadataIn,
  offsetIn,
} from './tus-headers.js';

// Clients that name no file, such as for the parts of an upload.
const UNNAMED = 'file';

/** What the verbs of tus do. Each gives the state of the upload afterwards. */
@Injectable()
export class TusProtocol {
  constructor(
    private readonly uploads: ResumableUploads,
    private readonly joins: UploadJoins,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Inject(UPLOAD_IDLE_TIMEOUT) private readonly idleTimeout: number,
  ) {}

  /** `POST`: begins an upload, with its first bytes if the request has any, or makes one of partial uploads. */
  async create(context: ExecutionContext): Promise<ResumableState> {
    const request = requestOf(context);
    return orDiscard(request, async () => {
      const { headers } = request;
      assertTusVersion(headers);
      const metadata = metadataIn(headers);
      const actor = await this.actors.of(context);
      const storage = metadata.get('storage') || this.defaultStorage;
      await this.access.assertCanUpload(actor, storage);
      const { isPartial, parts } = concatIn(headers);
      const contentType = metadata.get('filetype') || metadata.get('type');
      const upload = {
        name: metadata.get('filename') || metadata.get('name') || UNNAMED,
        ...(contentType && { contentType }),
        storage,
        metadata: headerOf(headers, 'Upload-Metadata'),
        actor,
      };
      if (parts) return this.joins.join({ ...upload, parts });
      const comesWithBytes = hasBytes(headers);
      const checksum = checksumIn(headers);
      const length = lengthIn(headers);
      const begun = await this.uploads.begin({ ...upload, length, isPartial, hasContent: comesWithBytes });
      if (!comesWithBytes) return begun;
      try {
        return await receiveChunk(request, this.idleTimeout, (body) =>
          this.uploads.append(begun.id, { ...body, offset: 0, checksum, size: sizeOf(headers), actor }),
        );
      } catch (error) {
        // The client takes it that nothing was made, and knows no address.
        await this.#forget(begun.id, actor);
        throw error;
      }
    });
  }

  /** `HEAD` */
  async find(id: string, context: ExecutionContext): Promise<ResumableState> {
    assertTusVersion(requestOf(context).headers);
    return this.uploads.find(id, { actor: await this.actors.of(context) });
  }

  /** `PATCH` */
  async append(id: string, context: ExecutionContext): Promise<ResumableState> {
    const request = requestOf(context);
    return orDiscard(request, async () => {
      const { headers } = request;
      assertTusVersion(headers);
      if (!hasBytes(headers)) throw new UploadStreamExpectedError(headerOf(headers, 'Content-Type'));
      const known = {
        offset: offsetIn(headers),
        length: bytesIn(headers, 'Upload-Length'),
        checksum: checksumIn(headers),
        size: sizeOf(headers),
      };
      const actor = await this.actors.of(context);
      const allow = (storage: string) => this.access.assertCanUpload(actor, storage);
      return receiveChunk(request, this.idleTimeout, (body) =>
        this.uploads.append(id, { ...body, ...known, actor, allow }),
      );
    });
  }

  /** `DELETE` */
  async abort(id: string, context: ExecutionContext): Promise<void> {
    assertTusVersion(requestOf(context).headers);
    await this.uploads.abort(id, { actor: await this.actors.of(context) });
  }

  async #forget(id: string, actor: Awaited<ReturnType<ActorSource['of']>>): Promise<void> {
    try {
      await this.uploads.abort(id, { actor });
    } catch {
      // Given up already, or left to the sweeper: the first error is the one to tell.
    }
  }
}

/** Node's request of the call. */
export function requestOf(context: ExecutionContext): IncomingMessage {
  return rawRequest(context.switchToHttp().getRequest<IncomingMessage>());
}

function sizeOf(headers: IncomingHttpHeaders): number | undefined {
  return bytesIn(headers, 'Content-Length');
}
