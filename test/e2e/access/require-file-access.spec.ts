import { Body, Controller, Get, Param, Post } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { FilesService, OwnerPolicy, RequireFileAccess, WithTaskQueue } from '../../../lib/index.js';
import type { Actor, FileOwnerPolicy } from '../../../lib/index.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';

const MISSING = '0193b3a0-0000-7000-8000-000000000000';

/** Everybody sees packages, only Ben updates them, and package `broken` has no database. */
@OwnerPolicy('package')
class PackagePolicy implements FileOwnerPolicy {
  allows(operation: string, actor: Actor | null, ownerId: string): boolean {
    if (ownerId === 'broken') throw new Error('no connection');
    return operation === 'read' || actor?.id === 'ben';
  }
}

const called: string[] = [];

@Controller()
class PreviewsController {
  @Get('previews/:fileId')
  @RequireFileAccess('read', 'fileId')
  preview(@Param('fileId') id: string): string {
    return `a preview of ${id}`;
  }

  @Post('renames')
  @RequireFileAccess('update', (request: { body?: { fileId?: unknown } }) => request.body?.fileId)
  @WithTaskQueue()
  async rename(@Body() { fileId }: { fileId: string }): Promise<string> {
    called.push(fileId);
    return 'renamed';
  }

  @Get('comparisons/:left/:right')
  @RequireFileAccess('read', 'left')
  @RequireFileAccess('update', 'right')
  compare(): string {
    return 'compared';
  }

  @Get('typos/:id')
  @RequireFileAccess('read', 'fileId')
  typo(): string {
    return 'open';
  }
}

@Controller('guarded/:fileId')
@RequireFileAccess('read', 'fileId')
class GuardedController {
  @Get()
  show(): string {
    return 'shown';
  }
}

async function guardedApp(platform: Platform) {
  const app = await startApp({
    platform,
    options: { cascade: { package: true } },
    controllers: [PreviewsController, GuardedController],
    providers: [PackagePolicy],
  });
  const fileOf = async (type: string, id: string) =>
    (await app.app.get(FilesService).create(Buffer.from('x'), { name: 'x.txt', owner: { type, id } })).id;
  return { app, fileOf };
}

async function answer(app: HttpApp, path: string, user?: string, body?: object) {
  const init = body && { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await app.fetch(path, { ...init, ...(user !== undefined && { user }) });
  const text = await response.text();
  return { status: response.status, text, code: text.startsWith('{') ? (JSON.parse(text) as object) : undefined };
}

describe.each(PLATFORMS)('@RequireFileAccess on %s', (platform) => {
  it('lets actors through who may use the file', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const [own, open] = [await fileOf('user', 'anna'), await fileOf('package', '1')];
    expect(await answer(app, `/previews/${own}`, 'anna')).toMatchObject({ status: 200, text: `a preview of ${own}` });
    expect(await answer(app, `/previews/${own}`, 'admin')).toMatchObject({ status: 200 });
    expect(await answer(app, `/previews/${open}`)).toMatchObject({ status: 200 });
    expect(await answer(app, `/guarded/${open}`)).toMatchObject({ status: 200, text: 'shown' });
    expect(await answer(app, '/renames', 'ben', { fileId: open })).toMatchObject({ status: 201, text: 'renamed' });
  });

  it('hides files as the routes of the library do', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const own = await fileOf('user', 'anna');
    for (const id of [own, own.toUpperCase(), MISSING, MISSING.toUpperCase(), '7', 'null', '%00']) {
      for (const user of [undefined, 'ben']) {
        const library = await answer(app, `/files/${id}`, user);
        expect(library.status).toBe(404);
        expect(await answer(app, `/previews/${id}`, user)).toEqual(library);
        expect(await answer(app, `/guarded/${id}`, user)).toEqual(library);
      }
    }
  });

  it('answers 403 to actors who may see the file but not change it', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const fileId = await fileOf('package', '1');
    called.length = 0;
    expect(await answer(app, '/renames', 'anna', { fileId })).toMatchObject({
      status: 403,
      code: { code: 'FILES_ACCESS_DENIED', message: `You may not update file ${fileId}.` },
    });
    expect(await answer(app, '/renames', undefined, { fileId })).toMatchObject({
      status: 401,
      code: { code: 'FILES_AUTHENTICATION_REQUIRED' },
    });
    expect(called).toEqual([]);
  });

  it('is closed where the request names no file', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const id = await fileOf('user', 'anna');
    called.length = 0;
    for (const body of [{}, { fileId: null }, { fileId: 7 }, { fileId: [id] }, { fileId: { id } }, []]) {
      expect(await answer(app, '/renames', 'anna', body)).toMatchObject({ status: 404 });
    }
    expect(called).toEqual([]);
  });

  it('asks for each of several files', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const [own, open] = [await fileOf('user', 'anna'), await fileOf('package', '1')];
    expect(await answer(app, `/comparisons/${open}/${own}`, 'anna')).toMatchObject({ status: 200 });
    expect(await answer(app, `/comparisons/${own}/${open}`, 'anna')).toMatchObject({ status: 403 });
    expect(await answer(app, `/comparisons/${own}/${open}`, 'ben')).toMatchObject({ status: 404 });
    expect(await answer(app, `/comparisons/${own}/${own}`, 'ben')).toMatchObject({ status: 404 });
  });

  it('is closed, and an error of the server, where a policy throws or a parameter has another name', async () => {
    const { app, fileOf } = await guardedApp(platform);
    const [broken, own] = [await fileOf('package', 'broken'), await fileOf('user', 'anna')];
    for (const path of [`/previews/${broken}`, `/files/${broken}`, `/files/${broken}/content`]) {
      const failed = await answer(app, path, 'ben');
      expect(failed.status).toBe(500);
      expect(failed.text).not.toContain('no connection');
    }
    expect(await answer(app, `/typos/${own}`, 'anna')).toMatchObject({
      status: 500,
      code: { code: 'FILES_DECORATION_INVALID', message: 'Internal Server Error' },
    });
  });
});
