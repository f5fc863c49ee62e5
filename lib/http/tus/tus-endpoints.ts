import type { IncomingMessage } from 'node:http';
import { Delete, Head, HttpStatus, Injectable, Options, Param, Patch, Post, Res } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import { RawBody } from '../form/raw-body.js';
import { CallContext } from '../routes/call-context.decorator.js';
import { TusAnswers } from './tus-answers.js';
import { headerOf } from './tus-headers.js';
import { requestOf, TusProtocol } from './tus-protocol.js';

/** Resumable uploads as tus 1.0 has them, guarded. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class TusEndpoints {
  constructor(
    private readonly tus: TusProtocol,
    private readonly answers: TusAnswers,
  ) {}

  @Options()
  capabilities(@Res() response: unknown): void {
    this.answers.capabilities(response);
  }

  @Options(':id')
  capabilitiesOfUpload(@Res() response: unknown): void {
    this.answers.capabilities(response);
  }

  @Post()
  @RawBody()
  async create(@CallContext() context: ExecutionContext, @Res() response: unknown): Promise<void> {
    this.answers.begin(response);
    const state = await this.tus.create(context);
    this.answers.created(response, state, `${pathOf(requestOf(context))}/${state.id}`);
  }

  /** Never waits for a request that appends. */
  @Head(':id')
  async find(
    @Param('id') id: string,
    @CallContext() context: ExecutionContext,
    @Res() response: unknown,
  ): Promise<void> {
    this.answers.begin(response);
    this.answers.found(response, await this.tus.find(id, context), pathOf(requestOf(context)).replace(/\/[^/]*$/, ''));
  }

  @Patch(':id')
  @RawBody()
  async append(
    @Param('id') id: string,
    @CallContext() context: ExecutionContext,
    @Res() response: unknown,
  ): Promise<void> {
    this.answers.begin(response);
    this.answers.appended(response, await this.tus.append(id, context));
  }

  @Delete(':id')
  async abort(
    @Param('id') id: string,
    @CallContext() context: ExecutionContext,
    @Res() response: unknown,
  ): Promise<void> {
    this.answers.begin(response);
    await this.tus.abort(id, context);
    this.answers.reply(response, HttpStatus.NO_CONTENT);
  }

  /** For clients that can send no `PATCH` or `DELETE`. */
  @Post(':id')
  @RawBody()
  async override(
    @Param('id') id: string,
    @CallContext() context: ExecutionContext,
    @Res() response: unknown,
  ): Promise<void> {
    const method = headerOf(requestOf(context).headers, 'X-HTTP-Method-Override')?.toUpperCase();
    switch (method) {
      case 'PATCH':
        return this.append(id, context, response);
      case 'DELETE':
        return this.abort(id, context, response);
      case 'HEAD':
        return this.find(id, context, response);
      default:
        this.answers.begin(response);
        throw new RequestInvalidError('header X-HTTP-Method-Override', ['it must be PATCH, DELETE or HEAD']);
    }
  }
}

/** The path of the request, as the client sees it. */
function pathOf(request: IncomingMessage): string {
  const { originalUrl = request.url ?? '' } = request as { originalUrl?: string };
  return originalUrl.split('?', 1)[0]?.replace(/\/+$/, '') ?? '';
}
