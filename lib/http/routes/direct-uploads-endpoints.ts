import { Body, Delete, Get, Header, HttpCode, HttpStatus, Inject, Injectable, Param, Post } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import { ActorSource } from '../../actor/actor.js';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import type { PublicFile } from '../../files/public-file.js';
import { DirectUploads } from '../../files/uploads/direct-uploads.js';
import type { BegunUpload, ByActor, SignedPart, UploadState } from '../../files/uploads/direct-upload-types.js';
import { CallContext } from './call-context.decorator.js';
import { FileAnswers, PRIVATE } from './file-answers.js';
import { BeginUploadInput, SignPartsInput } from './inputs.js';
import { ValidInput } from './valid-input.pipe.js';

/** Uploads that clients send to the storage themselves, guarded. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class DirectUploadsEndpoints {
  constructor(
    private readonly uploads: DirectUploads,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly answers: FileAnswers,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /** Answers the request by which the client sends the file, or the number of parts. */
  @Post()
  @Header(...PRIVATE)
  async begin(
    @Body(new ValidInput()) { storage = this.defaultStorage, ...input }: BeginUploadInput,
    @CallContext() context: ExecutionContext,
  ): Promise<BegunUpload> {
    const actor = await this.actors.of(context);
    await this.access.assertCanUpload(actor, storage);
    return this.uploads.begin({ ...input, storage, actor });
  }

  @Get(':id')
  @Header(...PRIVATE)
  async read(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<UploadState> {
    return this.uploads.find(id, await this.#by(context));
  }

  /** Called late and in batches, because signed requests expire. */
  @Post(':id/parts')
  @HttpCode(HttpStatus.OK)
  @Header(...PRIVATE)
  async sign(
    @Param('id') id: string,
    @Body(new ValidInput()) { numbers }: SignPartsInput,
    @CallContext() context: ExecutionContext,
  ): Promise<{ parts: SignedPart[] }> {
    return { parts: await this.uploads.signParts(id, numbers, await this.#by(context)) };
  }

  /**
   * Answers the file, as an upload through the application does. Another call answers it to its owner, and to who may
   * read it.
   */
  @Post(':id/complete')
  async complete(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    const by = await this.#by(context);
    const { file, isTheirs } = await this.uploads.completeOnce(id, by);
    if (!isTheirs) await this.access.assertCan(by.actor, 'read', file);
    return this.answers.of(file);
  }

  @Delete(':id')
  @HttpCode(HttpStatus.NO_CONTENT)
  async abort(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<void> {
    await this.uploads.abort(id, await this.#by(context));
  }

  /** The actor who began the upload, and no other. */
  async #by(context: ExecutionContext): Promise<ByActor> {
    return { actor: await this.actors.of(context) };
  }
}

/** The path of these routes below that of the files. */
export function directUploadsPath(filesPath: string): string {
  return `${filesPath.replace(/\/+$/, '')}/uploads`;
}
