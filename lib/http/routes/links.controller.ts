import { Get, Injectable, Param, Res } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { FileNotFoundError } from '../../errors/files.errors.js';
import { LinkNotFoundError } from '../../errors/access.errors.js';
import { ActorSource } from '../../actor/actor.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { FilesLinks } from '../../links/files-links.js';
import { CallContext } from './call-context.decorator.js';
import { dispositionFor } from '../../storage/disposition.js';
import { Downloads } from '../download/downloads.js';
import type { PlatformResponse } from '../download/departure.js';

// The link gives access to the file, so caches and other sites must not learn it.
const SECRECY = { 'Cache-Control': 'private, no-store, no-transform', 'Referrer-Policy': 'no-referrer' };

/** Where signed links lead. The controller made from it sets the path. */
@Injectable()
export abstract class LinksEndpoints {
  constructor(
    private readonly links: FilesLinks,
    private readonly downloads: Downloads,
    private readonly actors: ActorSource,
    private readonly adapters: HttpAdapterHost,
  ) {}

  /**
   * An answer without a body leaves the link unused: one to HEAD, because programs look at links before people do, and
   * a 304.
   */
  @Get(':token')
  async open(
    @Param('token') token: string,
    @CallContext() context: ExecutionContext,
    @Res() response: PlatformResponse,
  ): Promise<void> {
    this.#set(context, SECRECY);
    const link = await this.links.find(token, await this.actors.of(context));
    let file: ManagedFile | undefined;
    let isTaken = false;
    const take = async (): Promise<void> => {
      if (!isTaken) await link.take();
      isTaken = true;
    };
    try {
      const find = async () => (file = file ? await link.look() : link.file);
      const disposition = link.purpose === 'download' ? 'attachment' : undefined;
      const body = await this.downloads.answer(find, context, { beforeBody: take, disposition });
      // The link was taken for content that was replaced before it could be sent, and the client already has the new
      // content.
      if (body === undefined && isTaken) {
        isTaken = false;
        await link.giveBack();
      }
      this.#set(context, SECRECY);
      if (link.purpose === 'download' && file) {
        this.#set(context, { 'Content-Disposition': dispositionFor(file.name, 'attachment') });
      }
      this.downloads.send(body, response);
    } catch (error) {
      // A storage that fails does not cost the link.
      if (isTaken) await link.giveBack();
      throw error instanceof FileNotFoundError ? new LinkNotFoundError() : error;
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
