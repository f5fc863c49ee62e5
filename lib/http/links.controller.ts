import { Get, Injectable, Param, Res } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { ActorSource } from '../files/actor.js';
import { FilesLinks } from '../links/files-links.js';
import { CallContext } from './call-context.decorator.js';
import { dispositionFor } from './disposition.js';
import { Downloads } from './downloads.js';
import { rawRequest } from './raw-body.js';

// Whoever has the link has the file: neither caches nor other sites are to have it.
const SECRECY = { 'Cache-Control': 'private, no-store', 'Referrer-Policy': 'no-referrer' };

/** Where signed links lead; the controller made of it has the path. */
@Injectable()
export abstract class LinksEndpoints {
  constructor(
    private readonly links: FilesLinks,
    private readonly downloads: Downloads,
    private readonly actors: ActorSource,
    private readonly adapters: HttpAdapterHost,
  ) {}

  /** HEAD comes here too, and does not use the link: programs look at links before people do. */
  @Get(':token')
  async open(
    @Param('token') token: string,
    @CallContext() context: ExecutionContext,
    @Res() response: unknown,
  ): Promise<void> {
    this.#set(context, SECRECY);
    const { file, purpose, take, giveBack } = await this.links.find(token, await this.actors.of(context));
    const isHead = rawRequest(context.switchToHttp().getRequest<IncomingMessage>()).method === 'HEAD';
    if (!isHead) await take();
    try {
      const body = await this.downloads.answer(file, context);
      this.#set(context, SECRECY);
      if (purpose === 'download') {
        this.#set(context, { 'Content-Disposition': dispositionFor(file.name, 'attachment') });
      }
      this.downloads.send(body, response);
    } catch (error) {
      // A storage that fails does not cost the link.
      if (!isHead) await giveBack();
      throw error;
    }
  }

  #set(context: ExecutionContext, headers: Record<string, string>): void {
    const response: unknown = context.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(headers)) this.adapters.httpAdapter.setHeader(response, name, value);
  }
}

/** The path of the links' route below that of the files. */
export function linksPath(filesPath: string): string {
  return `${filesPath.replace(/\/+$/, '')}/links`;
}
