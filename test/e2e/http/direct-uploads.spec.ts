import { Controller, Injectable, Post } from '@nestjs/common';
import { SwaggerModule, DocumentBuilder } from '@nestjs/swagger';
import { describe, expect, it } from 'vitest';
import { FilesService, WithTaskQueue } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import type { FilesModuleOptions } from 'nestjs-files';
import type { BegunWhole } from 'nestjs-files/uploads';
import { FilesSweeper, Quotas } from 'nestjs-files/maintenance';
import { directStorage } from '../../support/direct-storage.js';
import { gate } from '../../support/gate.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';

const MISSING = '01890000-0000-7000-8000-000000000000';

async function start(platform?: Platform, options: Partial<FilesModuleOptions> = {}) {
  const direct = directStorage({ partSize: 100, maxSize: 1000 });
  const app = await startApp({
    ...(platform && { platform }),
    options: { storages: { default: direct.storage, plain: directless() }, ...options },
  });
  const call = async (method: string, path: string, user: string | undefined, body?: object) => {
    const headers = body && { 'content-type': 'application/json' };
    const init = { method, ...(user !== undefined && { user }), ...(body && { headers, body: JSON.stringify(body) }) };
    const answer = await app.fetch(path, init);
    const text = await answer.text();
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as Record<string, unknown> };
  };
  const begin = async (user: string | undefined, size: number, further: object = {}) => {
    const { body } = await call('POST', '/files/uploads', user, { name: 'a.txt', size, ...further });
    return body as unknown as BegunWhole & { code?: string };
  };
  return { ...app, direct, call, begin };
}

function directless() {
  const { storage } = directStorage({ disable: ['directUploads'] });
  return storage;
}

describe.each(PLATFORMS)('uploads to the storage on %s', (platform) => {
  it('are begun, sent, and completed to a file, as often as the client asks', async () => {
    const { call, direct } = await start(platform);
    const begun = await call('POST', '/files/uploads', 'ada', { name: 'a.txt', size: 5, contentType: 'text/plain' });
    expect(begun).toEqual({
      status: 201,
      body: {
        id: expect.any(String) as string,
        expiresAt: expect.any(String) as string,
        method: 'PUT',
        url: expect.any(String) as string,
        headers: {},
      },
    });
    const { id, url, expiresAt } = begun.body as Record<string, string>;
    expect(Date.parse(expiresAt ?? '')).toBeGreaterThan(Date.now() + 86_000_000);
    expect((await call('POST', `/files/uploads/${id}/complete`, 'ada')).body).toMatchObject({
      statusCode: 409,
      code: 'FILES_UPLOAD_INCOMPLETE',
    });
    expect(direct.send(url ?? '', '12345')).toBe(200);
    expect((await call('GET', `/files/uploads/${id}`, 'ada')).body).toMatchObject({
      id,
      name: 'a.txt',
      storage: 'default',
      size: 5,
      contentType: 'text/plain',
      state: 'open',
      parts: 1,
      uploaded: [1],
    });
    const completed = await call('POST', `/files/uploads/${id}/complete`, 'ada');
    expect(completed).toMatchObject({ status: 201, body: { id, size: 5, contentType: 'text/plain', ownerId: 'ada' } });
    expect(completed.body).not.toHaveProperty('location');
    expect(await call('POST', `/files/uploads/${id}/complete`, 'ada')).toEqual(completed);
    expect((await call('GET', `/files/uploads/${id}`, 'ada')).body).toMatchObject({ state: 'completed' });
    expect(await call('GET', `/files/${id}`, 'ada')).toEqual({ status: 200, body: completed.body });
    expect((await call('DELETE', `/files/uploads/${id}`, 'ada')).status).toBe(404);
  });

  it('become files also where nobody waits for that any more', async () => {
    const { begin, call, direct, fetch: ask } = await start(platform);
    const { id, url } = await begin('ada', 5);
    expect(direct.send(url, '12345')).toBe(200);
    const [isRead, mayEnd] = [gate(), gate()];
    const read = direct.storage.read.bind(direct.storage);
    direct.storage.read = async (...given) => {
      isRead.open();
      await mayEnd.opened;
      return read(...given);
    };
    const gone = new AbortController();
    const asked = ask(`/files/uploads/${id}/complete`, { method: 'POST', user: 'ada', signal: gone.signal });
    await isRead.opened;
    gone.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect((await call('GET', `/files/uploads/${id}`, 'ada')).body).toMatchObject({ state: 'open', uploaded: [1] });
    mayEnd.open();
    const state = async () => (await call('GET', `/files/uploads/${id}`, 'ada')).body['state'];
    await expect.poll(state).toBe('completed');
    expect((await call('GET', `/files/${id}`, 'ada')).body).toMatchObject({ id, size: 5 });
  });

  it('come in parts where they are large', async () => {
    const { call, direct, begin } = await start(platform);
    const { id, ...begun } = await begin('ada', 250);
    expect(begun).toEqual({ expiresAt: expect.any(String) as string, partSize: 100, parts: 3 });
    const signed = await call('POST', `/files/uploads/${id}/parts`, 'ada', { numbers: [1, 2, 3] });
    expect(signed.status).toBe(200);
    for (const { url, size } of signed.body['parts'] as { url: string; size: number }[])
      expect(direct.send(url, 'x'.repeat(size))).toBe(200);
    expect((await call('POST', `/files/uploads/${id}/complete`, 'ada')).body).toMatchObject({ id, size: 250 });
  });

  it('are visible only to the actor who began them, and not to managers', async () => {
    const { call, direct, begin } = await start(platform);
    const { id, url } = await begin('ada', 5);
    direct.send(url, '12345');
    const routes = [
      ['GET', ''],
      ['POST', '/complete'],
      ['DELETE', ''],
    ] as const;
    for (const user of ['ben', 'admin', undefined]) {
      for (const [method, path] of routes) {
        const { status, body } = await call(method, `/files/uploads/${id}${path}`, user);
        const missing = await call(method, `/files/uploads/${MISSING}${path}`, user);
        expect([status, body]).toEqual([404, JSON.parse(JSON.stringify(missing.body).replaceAll(MISSING, id))]);
      }
      const parts = await call('POST', `/files/uploads/${id}/parts`, user, { numbers: [1] });
      expect(parts).toMatchObject({ status: 404, body: { code: 'FILES_UPLOAD_NOT_FOUND' } });
    }
    expect((await call('GET', '/files/uploads/none', 'ada')).status).toBe(404);
  });

  it('become files only when they are completed: before, none is read, listed, downloaded or given away', async () => {
    const { call, direct, begin } = await start(platform);
    const { id, url } = await begin('ada', 5);
    direct.send(url, '12345');
    const requests = [
      ['GET', `/files/${id}`],
      ['GET', `/files/${id}/content`],
      ['DELETE', `/files/${id}`],
      ['GET', `/files/${id}/history`],
    ] as const;
    for (const user of ['ada', 'admin'])
      for (const [method, path] of requests) expect((await call(method, path, user)).status).toBe(404);
    expect((await call('GET', '/files', 'ada')).body).toMatchObject({ count: 0 });
  });

  it('tell nothing of a file that was given away since, to who may not read it any more', async () => {
    const { call, direct, begin, app } = await start(platform);
    const { id, url } = await begin('ada', 5);
    direct.send(url, '12345');
    expect((await call('POST', `/files/uploads/${id}/complete`, 'ada')).status).toBe(201);
    await app.get(FilesService).transferOwnership(id, { ownerType: 'user', ownerId: 'ben' });
    await app.get(FilesService).rename(id, 'secret.txt');
    const again = await call('POST', `/files/uploads/${id}/complete`, 'ada');
    expect(again).toMatchObject({ status: 404, body: { code: 'FILES_FILE_NOT_FOUND' } });
    expect(JSON.stringify(await call('GET', `/files/uploads/${id}`, 'ada'))).not.toContain('secret');
    expect(await app.get(DirectUploads).complete(id)).toMatchObject({ id, ownerId: 'ben' });
  });

  it('tell nothing more of a file that they made for another owner, to who may not read it', async () => {
    const { call, direct, app } = await start(platform);
    const [ada, owner] = [
      { type: 'user', id: 'ada' },
      { type: 'package', id: '7' },
    ];
    const begun = await app.get(DirectUploads).begin({ name: 'a.txt', size: 5, actor: ada, owner });
    const { id, url } = begun as BegunWhole;
    direct.send(url, '12345');
    const path = `/files/uploads/${id}/complete`;
    expect(await call('POST', path, 'ada')).toMatchObject({ status: 201, body: { id, ownerType: 'package' } });
    await app.get(FilesService).rename(id, 'secret.txt');
    const again = await call('POST', path, 'ada');
    expect(again).toMatchObject({ status: 404, body: { code: 'FILES_FILE_NOT_FOUND' } });
    expect(JSON.stringify(again)).not.toContain('secret');
  });

  it('end when they are given up', async () => {
    const { call, direct, begin } = await start(platform);
    const { id, url } = await begin('ada', 5);
    direct.send(url, '12345');
    expect((await call('DELETE', `/files/uploads/${id}`, 'ada')).status).toBe(204);
    expect([direct.open, await direct.locations()]).toEqual([0, []]);
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/complete'],
      ['GET', ''],
    ] as const)
      expect((await call(method, `/files/uploads/${id}${path}`, 'ada')).status).toBe(404);
  });

  it('need the right to upload', async () => {
    const { call } = await start(platform, { uploads: { storages: ['plain'] } });
    const body = { name: 'a', size: 1 };
    expect(await call('POST', '/files/uploads', 'ada', body)).toMatchObject({ status: 403 });
    expect(await call('POST', '/files/uploads', undefined, body)).toMatchObject({ status: 401 });
    const there = await call('POST', '/files/uploads', 'ada', { ...body, storage: 'plain' });
    expect(there).toMatchObject({ status: 409, body: { code: 'FILES_CAPABILITY_MISSING' } });
    expect(there.body['message']).toContain('directUploads');
  });

  it('may be anonymous where uploads are, and then belong to no actor', async () => {
    const { call, direct, begin } = await start(platform, { uploads: () => true });
    const { id, url } = await begin(undefined, 5);
    direct.send(url, '12345');
    expect((await call('POST', `/files/uploads/${id}/complete`, 'ada')).status).toBe(404);
    const completed = await call('POST', `/files/uploads/${id}/complete`, undefined);
    expect(completed).toMatchObject({ status: 201, body: { id, ownerId: null } });
    expect(await call('POST', `/files/uploads/${id}/complete`, undefined)).toEqual(completed);
  });

  it('fail with the code of each reason', async () => {
    const { call, begin } = await start(platform);
    const refused: [object, number, string][] = [
      [{ size: 1001 }, 413, 'FILES_FILE_TOO_LARGE'],
      [{ size: -1 }, 400, 'FILES_REQUEST_INVALID'],
      [{ size: '5' }, 400, 'FILES_REQUEST_INVALID'],
      [{ name: undefined }, 400, 'FILES_REQUEST_INVALID'],
      [{ name: '' }, 400, 'FILES_FILE_NAME_INVALID'],
      [{ contentType: 'x' }, 400, 'FILES_CONTENT_TYPE_INVALID'],
      [{ checksum: 'md5:1' }, 400, 'FILES_CHECKSUM_INVALID'],
      [{ storage: 'nowhere' }, 400, 'FILES_STORAGE_UNKNOWN'],
    ];
    for (const [further, status, code] of refused) {
      const answer = await call('POST', '/files/uploads', 'ada', { name: 'a', size: 5, ...further });
      expect(answer, JSON.stringify(further)).toMatchObject({ status, body: { code } });
    }
    const { id } = await begin('ada', 250);
    for (const numbers of [[], [0], [4], ['1'], 1, Array.from({ length: 101 }, (_, at) => at + 1), [1.5]]) {
      const { status } = await call('POST', `/files/uploads/${id}/parts`, 'ada', { numbers });
      expect(status, JSON.stringify(numbers)).toBe(400);
    }
  });

  it('read null as a missing value, and ask whether the actor may upload to the default storage', async () => {
    const asked: unknown[] = [];
    const { call } = await start(platform, {
      uploads: (_actor, storage) => {
        asked.push(storage);
        return storage !== 'default';
      },
    });
    const body = { name: 'a', size: 1, storage: null, contentType: null, checksum: null };
    expect(await call('POST', '/files/uploads', 'ada', body)).toMatchObject({ status: 403 });
    expect(asked).toEqual(['default']);
    expect(await call('POST', '/files/uploads', 'admin', body)).toMatchObject({ status: 201 });
    const missing = await call('POST', '/files/uploads', 'admin', { ...body, name: null });
    expect(missing).toMatchObject({ status: 400, body: { code: 'FILES_REQUEST_INVALID' } });
  });

  it('can be left out, and are described for OpenAPI', async () => {
    const without = await start(platform, { http: { without: ['directUploads'] } });
    expect((await without.call('POST', '/files/uploads', 'ada', { name: 'a', size: 1 })).status).toBe(404);
    const { app } = await start(platform);
    const { paths, components } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    expect(paths['/files/uploads']?.post?.responses).toHaveProperty('201.content.application/json.schema.oneOf');
    expect(components?.schemas?.['BeginUploadInput']).toMatchObject({
      required: ['name', 'size'],
      properties: { size: { type: 'integer' }, checksum: { type: 'string' } },
    });
    expect(components?.schemas?.['SignPartsInput']).toMatchObject({
      properties: { numbers: { type: 'array', items: { type: 'integer' } } },
    });
  });
});

describe('the room of who uploads to the storage', () => {
  const quotas = { user: { bytes: 300, count: 3 } };
  const ada = { type: 'user', id: 'ada' };

  it('is taken when the upload begins, and given back with it', async () => {
    const { call, begin, app } = await start(undefined, { quotas });
    const usage = () => app.get(Quotas).usage(ada);
    const { id } = await begin('ada', 250);
    expect(await usage()).toEqual({ bytes: 250, count: 1 });
    expect(await begin('ada', 51)).toMatchObject({ statusCode: 413, code: 'FILES_QUOTA_EXCEEDED' });
    await begin('ada', 50);
    await call('DELETE', `/files/uploads/${id}`, 'ada');
    expect(await usage()).toEqual({ bytes: 50, count: 1 });
    expect(await app.get(Quotas).recount(ada)).toEqual({ bytes: 50, count: 1 });
    await begin('ada', 1);
    await begin('ada', 1);
    expect(await begin('ada', 1)).toMatchObject({ code: 'FILES_QUOTA_EXCEEDED' });
  });

  it('shrinks to the size of the file when the upload is completed, to the last byte', async () => {
    const { call, begin, direct, app } = await start(undefined, { quotas });
    const { id } = await begin('ada', 300);
    const { body } = await call('POST', `/files/uploads/${id}/parts`, 'ada', { numbers: [1, 2, 3] });
    for (const { url, size } of body['parts'] as { url: string; size: number }[]) direct.send(url, 'x'.repeat(size));
    expect((await call('POST', `/files/uploads/${id}/complete`, 'ada')).status).toBe(201);
    expect(await app.get(Quotas).usage(ada)).toEqual({ bytes: 300, count: 1 });
    expect(await app.get(Quotas).recount(ada)).toEqual({ bytes: 300, count: 1 });
  });

  it('goes to one of several uploads that begin at once', async () => {
    const { begin, app } = await start(undefined, { quotas });
    const begun = await Promise.all(Array.from({ length: 6 }, () => begin('ada', 100)));
    expect(begun.filter(({ code }) => code === 'FILES_QUOTA_EXCEEDED')).toHaveLength(3);
    expect(await app.get(Quotas).usage(ada)).toEqual({ bytes: 300, count: 3 });
  });

  it('is counted right also where the owner’s uploads began before there were quotas', async () => {
    const { app, begin, dataSource } = await start(undefined, { quotas });
    await begin('ada', 100);
    await dataSource.query('DELETE FROM files_usage');
    expect(await app.get(Quotas).usage(ada)).toEqual({ bytes: 100, count: 1 });
    const { id } = await begin('ada', 50);
    await dataSource.query('DELETE FROM files_usage');
    await app.get(DirectUploads).abort(id);
    expect(await app.get(Quotas).usage(ada)).toEqual({ bytes: 100, count: 1 });
  });
});

it('gives the application’s own code DirectUploads, also in a unit of work', async () => {
  @Injectable()
  @Controller('films')
  class Films {
    constructor(private readonly uploads: DirectUploads) {}

    @Post()
    @WithTaskQueue()
    async begin() {
      return this.uploads.begin({ name: 'film.mp4', size: 5 });
    }
  }
  const direct = directStorage();
  const app = await startApp({
    options: {
      storages: { default: direct.storage },
      directUploads: { expireAfter: 50_000, urlsExpireAfter: 100_000 },
    },
    controllers: [Films],
  });
  const { id } = (await (await app.fetch('/films', { method: 'POST', user: 'ada' })).json()) as { id: string };
  const uploads = app.app.get(DirectUploads);
  const [{ url } = { url: '' }] = await uploads.signParts(id, [1], { actor: { type: 'user', id: 'ada' } });
  expect(Date.parse(new URL(url).searchParams.get('until') ?? '')).toBeLessThanOrEqual(Date.now() + 50_000);
  expect(await app.app.get(FilesSweeper).sweep()).toMatchObject({ examined: 0, failed: 0 });
  expect(await uploads.find(id)).toMatchObject({ parts: 2 });
});

it.each([
  [{ expireAfter: 0 }, 'directUploads.expireAfter'],
  [{ expireAfter: '1d' }, 'directUploads.expireAfter'],
  [{ expireAfter: Number.MAX_SAFE_INTEGER }, 'directUploads.expireAfter'],
  [{ urlsExpireAfter: 604_800_001 }, 'directUploads.urlsExpireAfter'],
])('refuses to start with %o', async (directUploads, option) => {
  await expect(startApp({ options: { directUploads: directUploads as object } })).rejects.toMatchObject({ option });
});
