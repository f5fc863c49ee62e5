import { Delete, Get, HttpCode, HttpStatus, Inject, Param, Post, StreamableFile } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { FilesAccess } from '../access/files-access.js';
import { ActorSource } from '../files/actor.js';
import { DEFAULT_STORAGE } from '../files/file-writer.js';
import { FilesService } from '../files/files.service.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { toPublicFile } from '../files/public-file.js';
import type { PublicFile } from '../files/public-file.js';
import type { FileOperation } from '../access/operations.js';
import { WithTaskQueue } from '../task-queue/with-task-queue.decorator.js';
import { CallContext } from './call-context.decorator.js';
import { downloadHeaders, opened } from './download.js';
import { RawBody, rawRequest } from './raw-body.js';
import { receiveUpload } from './upload.js';

/** The guarded REST face of files; the controller made of it has the path. */
export abstract class FilesEndpoints {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly adapters: HttpAdapterHost,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /** Takes a form with the file in the field `file` and, before it, the storage in `storage`. */
  @Post()
  @RawBody()
  async create(@CallContext() context: ExecutionContext): Promise<PublicFile> {
    const request = rawRequest(context.switchToHttp().getRequest<IncomingMessage>());
    const actor = await this.actors.of(context);
    const file = await receiveUpload(request, async ({ name, contentType, storage = this.defaultStorage, content }) => {
      await this.access.assertCanUpload(actor, storage);
      return this.files.create(content, { name, storage, contentType, owner: actor });
    });
    return toPublicFile(file);
  }

  @Get(':id')
  async show(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    return toPublicFile(await this.#find(id, 'show', context));
  }

  /** HEAD comes here too, on both platforms. */
  @Get(':id/content')
  async content(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<StreamableFile> {
    const file = await this.#find(id, 'stream', context);
    const http = context.switchToHttp();
    const isHead = rawRequest(http.getRequest<IncomingMessage>()).method === 'HEAD';
    const bytes = isHead ? Readable.from([]) : await opened(await this.files.stream(file), file);
    for (const [name, value] of Object.entries(downloadHeaders(file))) {
      this.adapters.httpAdapter.setHeader(http.getResponse(), name, value);
    }
    return new StreamableFile(bytes, { type: file.contentType, length: file.size });
  }

  /** In a unit of work: what was allowed is what is deleted, and the history knows by whom. */
  @Delete(':id')
  @WithTaskQueue()
  @HttpCode(HttpStatus.NO_CONTENT)
  async delete(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<void> {
    const file = await this.#find(id, 'delete', context);
    await this.files.delete(file.id);
  }

  /** The file, if the actor may do this with it. */
  async #find(id: string, operation: FileOperation, context: ExecutionContext): Promise<ManagedFile> {
    const actor = await this.actors.of(context);
    const file = await this.files.show(id);
    await this.access.assertCan(actor, operation, file);
    return file;
  }
}
