import { Get, Header, Injectable, Param, Put, Res } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { PublicFile } from '../../files/public-file.js';
import { CallContext } from './call-context.decorator.js';
import { Downloads } from '../download/downloads.js';
import type { PlatformResponse } from '../download/departure.js';
import { FileAnswers, PRIVATE } from './file-answers.js';
import { FileGate } from './file-gate.js';
import { RawBody, rawRequest } from '../form/raw-body.js';
import { Uploads } from '../form/uploads.js';

/** The content of files over HTTP, guarded. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class ContentEndpoints {
  constructor(
    private readonly gate: FileGate,
    private readonly downloads: Downloads,
    private readonly uploads: Uploads,
    private readonly answers: FileAnswers,
  ) {}

  /** HEAD comes here too, on both platforms. */
  @Get(':id/content')
  @Header(...PRIVATE)
  async content(
    @Param('id') id: string,
    @CallContext() context: ExecutionContext,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    const find = () => this.gate.find(id, 'stream', context);
    this.downloads.send(await this.downloads.answer(find, context), response);
  }

  /** Takes the new content as the body, as `application/octet-stream`. */
  @Put(':id/content')
  @RawBody()
  async replace(@Param('id') id: string, @CallContext() context: ExecutionContext): Promise<PublicFile> {
    const request = rawRequest(context.switchToHttp().getRequest<IncomingMessage>());
    const file = await this.uploads.replace(id, request, context);
    this.downloads.setValidators(file, context);
    return this.answers.of(file);
  }
}
