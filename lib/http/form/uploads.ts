import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import { FileTypeChangedError } from '../../errors/files.errors.js';
import { UploadAbortedError, UploadMalformedError } from '../../errors/requests.errors.js';
import { ActorSource } from '../../actor/actor.js';
import type { Actor } from '../../actor/actor.js';
import { assertNotDerived } from '../../files/derived/derived-rows.js';
import type { NewFile } from '../../files/file-options.js';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import { FilesService } from '../../files/files.service.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { UPLOAD_IDLE_TIMEOUT } from './arrival.js';
import { FileGate } from '../routes/file-gate.js';
import { UploadInput } from '../routes/inputs.js';
import { assertPreconditions } from '../download/preconditions.js';
import { orDiscard } from './discard-rest.js';
import { receiveContent } from './raw-content.js';
import { FORM_OVERHEAD } from './form-reader.js';
import { receiveForm } from './form-files.js';
import type { Upload } from './form-files.js';
import { ValidInput } from '../routes/valid-input.pipe.js';

const OCTETS = 'application/octet-stream';

/** Takes bytes over HTTP. No unit of work is open while they arrive. */
@Injectable()
export class Uploads {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly gate: FileGate,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
    @Inject(UPLOAD_IDLE_TIMEOUT) private readonly idleTimeout: number,
  ) {}

  /** Creates all files of a form, or none. Refuses a second file unless the query has `multiple=true`. */
  async create(
    request: IncomingMessage,
    query: UploadInput,
    context: ExecutionContext,
  ): Promise<{ files: ManagedFile[]; isList: boolean }> {
    return orDiscard(request, async () => {
      // Not in a pipe: if a pipe refused the query, nobody would read the body.
      const input = new ValidInput().transform(query, { type: 'query', metatype: UploadInput }) as UploadInput;
      const isList = input.multiple === 'true';
      const actor = await this.actors.of(context);
      // The least size of the files, for which the owner must have room.
      const room = Math.max(0, declaredSize(request) - FORM_OVERHEAD);
      const files = await receiveForm(request, this.idleTimeout, (uploads) =>
        this.files.createAll(this.#allowed(isList ? uploads : onlyOne(uploads), actor, room)),
      );
      return { files, isList };
    });
  }

  /** Gives a file new content, if access and the conditions of the request still hold when all of it has arrived. */
  async replace(id: string, request: IncomingMessage, context: ExecutionContext): Promise<ManagedFile> {
    return orDiscard(request, async () => {
      const actor = await this.actors.of(context);
      const file = await this.gate.find(id, 'update', context);
      assertNotDerived(file, 'replacing its content');
      assertPreconditions(request, file);
      assertSameType(request, file);
      const allow = async (current: ManagedFile) => {
        assertNotAborted(request);
        await this.access.assertCan(actor, 'update', current);
        assertPreconditions(request, current);
      };
      return receiveContent(request, this.idleTimeout, (content) =>
        this.files.replace(file.id, content, { allow, size: declaredSize(request) }),
      );
    });
  }

  async *#allowed(
    uploads: AsyncIterable<Upload>,
    actor: Actor | null,
    room: number,
  ): AsyncGenerator<NewFile, void, void> {
    for await (const { storage = this.defaultStorage, ...upload } of uploads) {
      await this.access.assertCanUpload(actor, storage);
      yield { ...upload, storage, actor, room, draft: true };
    }
  }
}

async function* onlyOne(uploads: AsyncIterable<Upload>): AsyncGenerator<Upload, void, void> {
  let count = 0;
  for await (const upload of uploads) {
    if (++count > 1)
      throw new UploadMalformedError('it has several files. Send one file, or add ?multiple=true to the address');
    yield upload;
  }
}

/**
 * On HTTP/2, Node's client ends a body of unknown length before it cancels the request. What had come by then looks
 * like all of it.
 */
function assertNotAborted({ aborted }: IncomingMessage): void {
  if (aborted) throw new UploadAbortedError();
}

/** The size that the client declares; 0 without one. */
function declaredSize({ headers }: IncomingMessage): number {
  const size = Number(headers['content-length']);
  return Number.isSafeInteger(size) ? size : 0;
}

// The bytes decide the type, so a request needs no Content-Type. If it declares another type than the file's, it is
// probably a form by mistake.
function assertSameType({ headers }: IncomingMessage, { id, contentType }: ManagedFile): void {
  const declared = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? OCTETS;
  if (declared !== OCTETS && declared !== contentType) throw new FileTypeChangedError(id, contentType, declared);
}
