import { Injectable, SetMetadata } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { ApiBearerAuth, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Request } from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { FilesModule, FilesService } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith, startApp } from '../../support/http-app.js';

declare module 'nestjs-files' {
  interface Actor {
    roles?: string[];
  }
}

interface Claims {
  sub: string;
  roles: string[];
}

@Injectable()
class Tokens {
  async verify(header: string | undefined): Promise<Claims | undefined> {
    const [, sub = '', ...roles] = header?.split(/[ ,]/) ?? [];
    return header === undefined ? undefined : { sub, roles };
  }
}

const IS_PUBLIC = 'isPublic';
const Public = () => SetMetadata(IS_PUBLIC, true);

@Injectable()
class SignedInGuard implements CanActivate {
  constructor(
    private readonly tokens: Tokens,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<Request & { user?: Claims }>();
    const user = await this.tokens.verify(request.headers.authorization);
    if (user) request.user = user;
    const places = [context.getHandler(), context.getClass()];
    return user !== undefined || this.reflector.getAllAndOverride(IS_PUBLIC, places) === true;
  }
}

async function start() {
  const here = process.cwd();
  process.env['LINKS_SECRET'] = 's'.repeat(32);
  onTestFinished(() => void delete process.env['LINKS_SECRET']);
  process.chdir(newDirectory());
  try {
    return await startApp({
      module: FilesModule.forRoot({
        storages: { default: fsStorage({ root: 'var/files' }) },
        uploads: 'authenticated',
        links: { secrets: [process.env['LINKS_SECRET'] ?? ''] },
        http: {
          decorators: { all: [ApiBearerAuth()], download: [Public()], link: [Public()] },
          without: ['transfer', 'pin', 'unpin'],
        },
        actor: (context) => {
          const { user } = context.switchToHttp().getRequest<{ user?: Claims }>();
          return user ? { type: 'user', id: user.sub, roles: user.roles } : null;
        },
        isManager: (actor) => actor?.roles?.includes('files-admin') === true,
      }),
      providers: [Tokens, { provide: APP_GUARD, useClass: SignedInGuard }],
    });
  } finally {
    process.chdir(here);
  }
}

it('runs every example of docs/authentication.md', async () => {
  expect(await examplesNotRun('authentication.md', import.meta.url)).toEqual([]);
});

it('does what docs/authentication.md says', async () => {
  const app = await start();
  const as = (who: string) => ({ headers: { authorization: `Bearer ${who}` } });
  const made = await app.fetch('/files', { method: 'POST', body: formWith('hello'), ...as('ann') });
  const { id, ownerId } = (await made.json()) as { id: string; ownerId: string };
  expect(ownerId).toBe('ann');
  const { url = '' } = await app.app.get(FilesLinks).temporary(id);
  const status = async (path: string, init = {}) => (await app.fetch(path, init)).status;
  expect(await status(`/files/${id}`)).toBe(403);
  expect(await status(`/files/${id}/content`)).toBe(404);
  expect(await status(url)).toBe(200);
  expect(await status(`/files/${id}`, as('ben'))).toBe(404);
  expect(await status(`/files/${id}`, as('root,files-admin'))).toBe(200);
  expect(await status(`/files/${id}/pin`, { method: 'PUT', ...as('ann') })).toBe(404);
  expect((await app.app.get(FilesService).findOrFail(id)).pinned).toBe(false);
  const { paths } = SwaggerModule.createDocument(app.app, new DocumentBuilder().addBearerAuth().build());
  expect(paths['/files']?.post?.security).toEqual([{ bearer: [] }]);
});
