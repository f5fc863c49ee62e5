import { Body, Delete, Get, Header, HttpCode, HttpStatus, Injectable, Param, Patch, Post, Query } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { FilesService } from '../../files/files.service.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import type { PublicFile } from '../../files/public-file.js';
import { WithTaskQueue } from '../../task-queue/with-task-queue.decorator.js';
import { CallContext } from './call-context.decorator.js';
import { FileAnswers, PRIVATE } from './file-answers.js';
import { FileGate } from './file-gate.js';
import { FileLists } from './file-lists.js';
import type { FileList } from './file-lists.js';
import { ListFilesInput, RenameFileInput, UploadInput } from './inputs.js';
import { RawBody, rawRequest } from '../form/raw-body.js';
import { Uploads } from '../form/uploads.js';
import { ValidInput } from './valid-input.pipe.js';

/** Files over HTTP, guarded. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class FilesEndpoints {
  constructor(
    private readonly files: FilesService,
    private readonly gate: FileGate,
    private readonly lists: FileLists,
    private readonly uploads: Uploads,
    private readonly answers: FileAnswers,
  ) {}

  /**
   * Takes a form with a file in the field `file` and, before it, the storage in `storage`, and answers the file. With
   * `?multiple=true` it takes one file or several: all of them are stored, or none, and the answer is `{ files }`, in
   * their order.
   */
  @Post()
  @RawBody()
  async create(
    @Query() query: UploadInput,
    @CallContext() context: ExecutionContext,
  ): Promise<PublicFile | { files: PublicFile[] }> {
    const request = rawRequest(context.switchToHttp().getRequest<IncomingMessage>());
    const { files, isList } = await this.uploads.create(request, query, context);
    return isList ? { files: files.map((file) => this.answers.of(file)) } : this.answers.of(files[0] as ManagedFile);
  }

  @Get()
  @Header(...PRIVATE)
  async list(
    @Query(new ValidInput()) query: ListFilesInput,
    @CallContext() context: ExecutionContext,
  ): Promise<FileList> {
    return this.lists.find(query, context);
  }

  @Get(':id')
  @Header(...PRIVATE)
  async read(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    return this.answers.of(await this.gate.find(id, 'read', context));
  }

  @Patch(':id')
  @WithTaskQueue({ retry: 3 })
  async rename(
    @Param('id') id: string,
    @Body(new ValidInput()) { name }: RenameFileInput,
    @CallContext() context: ExecutionContext,
  ): Promise<PublicFile> {
    const file = await this.gate.lockFor(id, 'update', context);
    return this.answers.of(await this.files.rename(file.id, name));
  }

  @Delete(':id')
  @WithTaskQueue({ retry: 3 })
  @HttpCode(HttpStatus.NO_CONTENT)
  async delete(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<void> {
    const file = await this.gate.lockFor(id, 'delete', context);
    await this.files.delete(file.id);
  }
}
