import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FilesModuleOptions } from '../../../lib/files.options.js';
import { FilesService } from '../../../lib/files/files.service.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileLink } from '../../../lib/links/file-link.entity.js';
import { FilesLinks } from '../../../lib/links/files-links.js';
import { signLink, verifyLink } from '../../../lib/links/link-token.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';
import { storageWith } from '../../support/storage-with.js';

const OLD = 'the old secret, which is long enough';
const NEW = 'the new secret, which is long enough';
const anna = { type: 'user', id: 'anna' };
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

async function linksApp(platform: Platform = 'express', options: Partial<FilesModuleOptions> = {}) {
  const app = await startApp({ platform, options: { links: { secrets: [NEW] }, ...options } });
  const { id } = await newFile(app);
  return { app, id, links: app.app.get(FilesLinks) };
}

/** Links of a storage that signs addresses, and what it is asked for. */
async function signingApp() {
  const asked: unknown[] = [];
  const storage = storageWith({
    temporaryUrl: async (location, request) => {
      asked.push({ location, ...request });
      return 'https://bytes.example/signed';
    },
  });
  return { asked, ...(await linksApp('express', { storages: { default: storage } })) };
}

/** A file of Anna's. */
function newFile(app: HttpApp): Promise<ManagedFile> {
  return app.app.get(FilesService).create(Buffer.from('hello'), { name: 'a näme.txt', owner: anna });
}

/** What is answered, as far as tests compare it. */
async function answer(app: HttpApp, url: string | undefined, init: Parameters<HttpApp['fetch']>[1] = {}) {
  const response = await app.fetch(String(url), init);
  const text = await response.text();
  const { code } = (text.startsWith('{') ? JSON.parse(text) : {}) as { code?: string };
  return { status: response.status, code, text, headers: response.headers };
}

describe.each(PLATFORMS)('links on %s', (platform) => {
  it('give the content to everybody who has one, as a download', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url, expiresAt } = await links.temporary(id, { expiresIn: 60 });
    expect(url).toMatch(/^\/files\/links\/[\w-]{70,100}$/);
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThan(50_000);
    expect(await answer(app, `/files/${id}/content`)).toMatchObject({ status: 404 });
    for (const user of [undefined, 'ben', 'anna']) {
      expect(await answer(app, url, user === undefined ? {} : { user })).toMatchObject({ status: 200, text: 'hello' });
    }
  });

  it('answer like a download, and keep the link itself out of the answer', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.temporary(id, { purpose: 'inline' });
    const download = await answer(app, `/files/${id}/content`, { user: 'anna' });
    const linked = await answer(app, url);
    const { 'cache-control': _, date: __, ...expected } = Object.fromEntries(download.headers);
    expect(Object.fromEntries(linked.headers)).toMatchObject(expected);
    expect(linked.headers.get('content-disposition')).toMatch(/^inline; .*a%20n%C3%A4me\.txt/);
    expect(linked.headers.get('cache-control')).toBe('private, no-store, no-transform');
    expect(linked.headers.get('referrer-policy')).toBe('no-referrer');
    const saved = await answer(app, (await links.temporary(id)).url);
    expect(saved.headers.get('content-disposition')).toMatch(/^attachment; .*a%20n%C3%A4me\.txt/);
  });

  it('answer HEAD like GET, without the content', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.temporary(id);
    const get = await answer(app, url);
    const head = await answer(app, url, { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, text: '' });
    const comparable = ({ headers }: { headers: Headers }) =>
      [...headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name));
    expect(comparable(head)).toEqual(comparable(get));
  });

  it('end when they say', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.temporary(id, { expiresIn: 0.001 });
    await delay(5);
    const gone = await answer(app, url);
    expect(gone).toMatchObject({ status: 410, code: 'FILES_LINK_EXPIRED' });
    expect(gone.headers.get('cache-control')).toBe('private, no-store, no-transform');
    expect(gone.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('answer alike whether they are forged, made for others, or lead to deleted files', async () => {
    const { app, id, links } = await linksApp(platform);
    const { token = '' } = await links.temporary(id);
    const flipped = token.slice(0, 20) + (token[20] === 'A' ? 'B' : 'A') + token.slice(21);
    const bound = await links.temporary(id, { actor: { type: 'user', id: 'carl' } });
    const second = await newFile(app);
    const { url: orphan } = await links.temporary(second.id);
    await app.app.get(FilesService).delete(second.id);
    const bad = [flipped, token.slice(0, -1), `${token}A`, `${token}=`, 'A', 'content', '%00', '%F0%9F%98%80', id]
      .map((text) => `/files/links/${text}`)
      .concat(String(bound.url), String(orphan));
    const answers = await Promise.all(bad.map((url) => answer(app, url, { user: 'ben' })));
    expect(answers.map(({ status, code }) => [status, code])).toEqual(bad.map(() => [404, 'FILES_LINK_NOT_FOUND']));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  it('do not stand in the way of files', async () => {
    const { app, id } = await linksApp(platform);
    expect(await answer(app, `/files/${id}`, { user: 'anna' })).toMatchObject({ status: 200 });
    expect(await answer(app, `/files/${id}/content`, { user: 'anna' })).toMatchObject({ status: 200 });
    expect(await answer(app, '/files/links', { user: 'anna' })).toMatchObject({ status: 404 });
  });

  it('can be for one actor', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.temporary(id, { actor: { type: 'user', id: 'ben' } });
    expect(await answer(app, url, { user: 'ben' })).toMatchObject({ status: 200, text: 'hello' });
    expect(await answer(app, url, { user: 'carl' })).toMatchObject({ status: 404 });
    expect(await answer(app, url)).toMatchObject({ status: 401, code: 'FILES_AUTHENTICATION_REQUIRED' });
  });

  it('can be for one use', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.oneTime(id);
    expect(await answer(app, url, { method: 'HEAD' })).toMatchObject({ status: 200 });
    expect(await answer(app, url)).toMatchObject({ status: 200, text: 'hello' });
    expect(await answer(app, url)).toMatchObject({ status: 410, code: 'FILES_LINK_USED' });
    expect(await answer(app, url, { method: 'HEAD' })).toMatchObject({ status: 410 });
    expect(await app.dataSource.getRepository(FileLink).count()).toBe(0);
  });

  it.each([
    ['what the client has already', 304, (etag: string) => ({ 'if-none-match': etag })],
    ['what is not as the client expects', 412, () => ({ 'if-match': '"other"' })],
    ['a range that is not there', 416, () => ({ range: 'bytes=99-' })],
  ])('stay unused after a request for %s', async (_, status, headersOf) => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.oneTime(id);
    const etag = (await answer(app, url, { method: 'HEAD' })).headers.get('etag') ?? '';
    expect(await answer(app, url, { headers: headersOf(etag) })).toMatchObject({ status });
    expect(await app.dataSource.getRepository(FileLink).count()).toBe(1);
    expect(await answer(app, url)).toMatchObject({ status: 200, text: 'hello' });
  });

  it('give the content to one of many who use a one-time link at once', async () => {
    const { app, id, links } = await linksApp(platform);
    const { url } = await links.oneTime(id);
    const answers = await Promise.all(Array.from({ length: 8 }, () => answer(app, url)));
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
      200,
      ...Array.from({ length: 7 }, () => 410),
    ]);
  });

  it('survive a storage that fails and a range that is not there', async () => {
    const storage = memoryStorage();
    const { app, id, links } = await linksApp(platform, { storages: { default: storage } });
    const { url } = await links.oneTime(id);
    const { location } = await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    const read = storage.read.bind(storage);
    storage.read = () => Promise.reject(new Error(`no route to ${location}`));
    const failed = await answer(app, url);
    expect(failed).toMatchObject({ status: 500 });
    expect(failed.text).not.toContain(location);
    storage.read = read;
    expect(await answer(app, url, { headers: { range: 'bytes=99-' } })).toMatchObject({ status: 416 });
    expect(await answer(app, url)).toMatchObject({ status: 200, text: 'hello' });
  });
});

describe('links', () => {
  it('go on working with an old secret until it is taken out', async () => {
    const signedWith = (secret: string, fileId: string) =>
      signLink(
        { fileId, purpose: 'download', expiresAt: new Date(Date.now() + 60_000), linkId: undefined },
        null,
        secret,
      );
    const rotating = await linksApp('express', { links: { secrets: [NEW, OLD] } });
    expect(await answer(rotating.app, `/files/links/${signedWith(OLD, rotating.id)}`)).toMatchObject({ status: 200 });
    const { token = '' } = await rotating.links.temporary(rotating.id);
    expect(verifyLink(token, null, [NEW])).toBeDefined();
    expect(verifyLink(token, null, [OLD])).toBeUndefined();
    const rotated = await linksApp('express', { links: { secrets: [NEW] } });
    expect(await answer(rotated.app, `/files/links/${signedWith(NEW, rotated.id)}`)).toMatchObject({ status: 200 });
    expect(await answer(rotated.app, `/files/links/${signedWith(OLD, rotated.id)}`)).toMatchObject({ status: 404 });
  });

  it('cannot be made or used without a secret', async () => {
    const app = await startApp();
    const { id } = await newFile(app);
    const links = app.app.get(FilesLinks);
    await expect(links.temporary(id)).rejects.toThrow('FilesModule option "links": it is not set');
    await expect(links.oneTime(id)).rejects.toMatchObject({ code: 'FILES_OPTION_INVALID' });
    expect(await app.dataSource.getRepository(FileLink).count()).toBe(0);
    expect(await answer(app, '/files/links/AAAA')).toMatchObject({ status: 404, code: 'FILES_LINK_NOT_FOUND' });
  });

  it('know the path of their route', async () => {
    const app = await startApp({
      options: { links: { secrets: [NEW] }, http: { path: 'some/files/' } },
      prepare: (nest) => void nest.setGlobalPrefix('api'),
    });
    const { id } = await newFile(app);
    const { url } = await app.app.get(FilesLinks).temporary(id);
    expect(url).toMatch(/^\/api\/some\/files\/links\/[\w-]+$/);
    expect(await answer(app, url)).toMatchObject({ status: 200, text: 'hello' });
  });

  it('begin as clients see them where that is said', async () => {
    const { id, links } = await linksApp('express', { links: { secrets: [NEW], url: 'https://example.org/f/' } });
    const { url, token } = await links.temporary(id);
    expect(url).toBe(`https://example.org/f/${token}`);
  });

  it('have no address where there is no route, and open all the same', async () => {
    const app = await startApp({ options: { links: { secrets: [NEW] }, http: false } });
    const { id } = await newFile(app);
    const links = app.app.get(FilesLinks);
    const { url, token = '' } = await links.oneTime(id, { purpose: 'inline', actor: anna });
    expect(url).toBeUndefined();
    expect(await links.open(token, anna)).toEqual({ file: expect.objectContaining({ id }), purpose: 'inline' });
    await expect(links.open(token, anna)).rejects.toMatchObject({ code: 'FILES_LINK_USED' });
  });

  it('cannot be made to files that do not exist', async () => {
    const { links } = await linksApp();
    const missing = '0193b3a0-0000-7000-8000-000000000000';
    for (const make of [links.temporary(missing), links.oneTime(missing), links.permanent(missing)]) {
      await expect(make).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
    }
  });

  it('come from storages that make links, unless they are for one actor', async () => {
    const { app, id, links, asked } = await signingApp();
    const { location } = await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    const link = await links.temporary(id);
    expect(link).toMatchObject({ url: 'https://bytes.example/signed', token: undefined });
    const { expiresAt } = link;
    expect(asked).toEqual([
      { location, expiresAt, disposition: 'attachment', name: 'a näme.txt', contentType: 'text/plain' },
    ]);
    expect((await links.temporary(id, { actor: anna })).token).toBeDefined();
    expect((await links.oneTime(id)).token).toBeDefined();
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['an image', 'inline', PNG, 'image/png'],
    ['SVG', 'attachment', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', 'image/svg+xml'],
    ['HTML', 'attachment', '<!doctype html><script>alert(1)</script>', 'text/html'],
    ['text, without nosniff,', 'attachment', 'hello', 'text/plain'],
  ])('ask the storage to send %s as %s', async (_, disposition, content, contentType) => {
    const { app, links, asked } = await signingApp();
    const files = app.app.get(FilesService);
    const { id, location } = await files.create(Buffer.from(content), { name: 'a', owner: anna });
    const { expiresAt } = await links.temporary(id, { purpose: 'inline' });
    expect(asked).toEqual([{ location, expiresAt, disposition, name: 'a', contentType }]);
  });

  it('are permanent where the storage is public', async () => {
    const isPublic = storageWith({ publicUrl: async (location) => `https://bytes.example/${location}` });
    const { app, id, links } = await linksApp('express', { storages: { default: isPublic } });
    const { location } = await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    expect(await links.permanent(id)).toBe(`https://bytes.example/${location}`);
    const closed = await linksApp();
    await expect(closed.links.permanent(closed.id)).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING' });
  });

  it.each([
    [{ secrets: [] }, 'links.secrets'],
    [{ secrets: [NEW, 'x'.repeat(31)] }, 'links.secrets[1]'],
    [{ secrets: [undefined] }, 'links.secrets[0]'],
    [{ secrets: 'a text that is long enough to be one' }, 'links.secrets'],
    [{}, 'links.secrets'],
    [null, 'links.secrets'],
    [{ secrets: [NEW], url: '' }, 'links.url'],
  ])('stop the boot over the option %j', async (links, option) => {
    await expect(startApp({ options: { links: links as never } })).rejects.toThrow(`FilesModule option "${option}"`);
  });
});
