import { Header, Injectable, Module, SetMetadata, UseGuards } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { ApiBearerAuth, ApiOperation, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describe, expect, it } from 'vitest';
import { FilesModule } from '../../../lib/files.module.js';
import { FilesLinks } from '../../../lib/links/files-links.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { database, formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

const Public = () => SetMetadata('isPublic', true);

/** As applications have one: closed, but for routes that are marked. It reads the handler alone. */
@Injectable()
class ClosedGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['x-user'] !== undefined || this.reflector.get<boolean>('isPublic', context.getHandler()) === true;
  }
}

@Injectable()
class NeverGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

const guarded = { providers: [{ provide: APP_GUARD, useClass: ClosedGuard }] };
const links = { secrets: ['s'.repeat(32)] };

describe.each(PLATFORMS)('the routes of the library on %s', (platform) => {
  it('are open to strangers behind a global guard where they are marked', async () => {
    const http = { decorators: { link: [Public()] } };
    const app = await startApp({ platform, ...guarded, options: { links, http } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const { url = '' } = await app.app.get(FilesLinks).temporary(id);
    expect([(await app.fetch(url)).status, (await app.fetch(`/files/${id}`)).status]).toEqual([200, 403]);
  });

  it('have the decorators of all routes, and their own over them', async () => {
    const decorators = { all: [Header('x-kind', 'any')], read: [Header('x-own', 'read'), UseGuards(NeverGuard)] };
    const app = await startApp({ platform, options: { http: { path: 'stored', decorators } } });
    const made = await app.fetch('/stored', { method: 'POST', user: 'anna', body: formWith('hello') });
    const { id } = (await made.json()) as { id: string };
    const rename = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"name":"b.txt"}' };
    const renamed = await app.fetch(`/stored/${id}`, { user: 'anna', ...rename });
    const content = await app.fetch(`/stored/${id}/content`, { user: 'anna' });
    expect([made, renamed, content].map(({ status, headers }) => [status, headers.get('x-kind')])).toEqual([
      [201, 'any'],
      [200, 'any'],
      [200, 'any'],
    ]);
    expect(await content.text()).toBe('hello');
    expect((await app.fetch(`/stored/${id}`, { user: 'anna' })).status).toBe(403);
  });

  it('disappear where the application switches them off, and the others stay', async () => {
    const app = await startApp({ platform, options: { http: { without: ['transfer', 'pin', 'delete', 'link'] } } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const status = async (method: string, path: string) => (await app.fetch(path, { method, user: 'anna' })).status;
    expect(await status('POST', `/files/${id}/transfer`)).toBe(404);
    expect(await status('PUT', `/files/${id}/pin`)).toBe(404);
    expect(await status('DELETE', `/files/${id}`)).toBe(404);
    expect(await status('DELETE', `/files/${id}/pin`)).toBe(200);
    expect(await status('GET', `/files/${id}/history`)).toBe(200);
    const gone = await app.fetch('/files/links/AAAA');
    expect(await gone.json()).not.toMatchObject({ code: 'FILES_LINK_NOT_FOUND' });
  });
});

it('tells OpenAPI how to sign in, on each route', async () => {
  const http = {
    decorators: { all: [ApiBearerAuth()], read: [ApiOperation({ summary: 'Look' })] },
    without: ['pin'] as const,
  };
  const app = await startApp({ options: { http } });
  const { paths } = SwaggerModule.createDocument(app.app, new DocumentBuilder().addBearerAuth().build());
  const operations = Object.values(paths).flatMap((path) => Object.values(path) as { security?: unknown }[]);
  expect(operations.filter(({ security }) => security === undefined)).toEqual([]);
  expect(paths['/files/{id}']?.get).toMatchObject({ summary: 'Look', parameters: [{ name: 'id' }] });
  expect(paths['/files']?.post).toMatchObject({ summary: 'Upload files', requestBody: {} });
  expect(Object.keys(paths['/files/{id}/pin'] ?? {})).toEqual(['delete']);
});

it('keeps the decorators of one application from another', async () => {
  const closed = await startApp({ options: { http: { decorators: [UseGuards(NeverGuard)] } } });
  const open = await startApp();
  expect([
    (await closed.fetch('/files', { user: 'anna' })).status,
    (await open.fetch('/files', { user: 'anna' })).status,
  ]).toEqual([403, 200]);
});

it.each([
  ['http.decorators', { decorators: { shwo: [] } }, 'shwo'],
  ['http.without', { without: ['open'] }, 'open'],
])('refuses %s for an unknown route', async (option, http, name) => {
  const boot = async (): Promise<void> => {
    const storages = { default: fsStorage({ root: newDirectory() }) };
    @Module({ imports: [database(), FilesModule.forRoot({ storages, http: http as object })] })
    class AppModule {}
    await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  };
  await expect(boot()).rejects.toThrow(`FilesModule option "${option}": there is no route "${name}"`);
});
