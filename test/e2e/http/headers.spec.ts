import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { INestApplication } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { FilesService } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';

const CONTENT = 'the same words again and again, '.repeat(1000);
const secrets = ['a secret of tests that is 32 bytes long'];

async function compress(app: INestApplication, platform: Platform): Promise<void> {
  if (platform === 'express') app.use(compression());
  else await (app as NestFastifyApplication).register(fastifyCompress);
}

describe.each(PLATFORMS)('a download on %s', (platform) => {
  it.each([
    ['all of a file', 200, {}],
    ['a part of a file', 206, { range: 'bytes=0-9999' }],
  ])('is not compressed by the application, where it is %s', async (_, status, headers) => {
    const prepare = (nest: INestApplication) => compress(nest, platform);
    const app = await startApp({ platform, prepare, options: { links: { secrets } } });
    const { id } = await uploadFile(app, 'anna', formWith(CONTENT));
    const { url } = await app.app.get(FilesLinks).temporary(id);
    for (const path of [`/files/${id}/content`, String(url)]) {
      const response = await app.fetch(path, { user: 'anna', headers: { 'accept-encoding': 'gzip', ...headers } });
      expect([response.status, response.headers.get('content-encoding')]).toEqual([status, null]);
      expect(response.headers.get('content-length')).toBe(String(status === 206 ? 10_000 : CONTENT.length));
      expect(await response.text()).toBe(status === 206 ? CONTENT.slice(0, 10_000) : CONTENT);
    }
  });

  it('is saved under the new name after a 304', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello', 'old.txt'));
    const etag = (await app.fetch(`/files/${id}/content`, { user: 'anna' })).headers.get('etag') ?? '';
    await app.app.get(FilesService).rename(id, 'new.txt');
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna', headers: { 'if-none-match': etag } });
    expect([response.status, response.headers.get('content-disposition')]).toEqual([304, 'inline; filename=new.txt']);
  });

  it.each([
    ['UTF-8', Buffer.from('grüße'), 'text/plain; charset=utf-8'],
    ['UTF-8 with a mark', Buffer.from('\ufeffgrüße'), 'text/plain; charset=utf-8'],
    ['UTF-16', Buffer.from('\ufeffgrüße', 'utf16le'), 'text/plain; charset=utf-16le'],
    ['UTF-16, big end first', Buffer.from('\ufeffgrüße', 'utf16le').swap16(), 'text/plain; charset=utf-16be'],
    ['nothing', Buffer.alloc(0), 'text/plain; charset=utf-8'],
    ['no text', Buffer.from([0, 1, 2, 255]), 'application/octet-stream'],
  ])('says how to read text in %s', async (_, content, contentType) => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith(content));
    const files = app.app.get(FilesService);
    const copy = await files.copy(id, { owner: { type: 'user', id: 'anna' } });
    for (const one of [id, copy.id]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await app.fetch(`/files/${one}/content`, { method, user: 'anna' });
        expect(response.headers.get('content-type')).toBe(contentType);
      }
    }
  });

  it('says how to read the new content once it is replaced', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    await app.app.get(FilesService).replace(id, Buffer.from('\ufeffgrüße', 'utf16le'));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-16le');
  });

  it('may be shown on other sites where the application says so', async () => {
    const prepare = (nest: INestApplication) =>
      void nest.use((_: IncomingMessage, response: ServerResponse, next: () => void) => {
        response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
        next();
      });
    const app = await startApp({ platform, prepare });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  });

  it('may not be kept by shared caches, like the description of a file', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    for (const path of ['', '/history', '/content']) {
      for (const user of ['anna', 'ben']) {
        const { headers } = await app.fetch(`/files/${id}${path}`, { user });
        expect(headers.get('cache-control')).toMatch(/^private, no-cache\b/);
      }
    }
    expect((await app.fetch('/files', { user: 'anna' })).headers.get('cache-control')).toBe('private, no-cache');
  });
});
