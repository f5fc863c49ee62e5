import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

const UNKNOWN = '0193b3a0-0000-7000-8000-000000000000';
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe.each(PLATFORMS)('the files controller on %s', (platform) => {
  it('stores a file and answers with its description, without the location', async () => {
    const app = await startApp({ platform });
    const response = await app.fetch('/files', {
      method: 'POST',
      user: 'anna',
      body: formWith('hello', 'Grüße, 日本語.txt'),
    });
    expect(response.status).toBe(201);
    const file = (await response.json()) as { id: string };
    expect(file).toMatchObject({
      name: 'Grüße, 日本語.txt',
      storage: 'default',
      contentType: 'text/plain',
      size: 5,
      hash: createHash('sha256').update('hello').digest('hex'),
      ownerType: 'user',
      ownerId: 'anna',
      pinned: false,
    });
    expect(Object.keys(file)).not.toContain('location');
    expect(Object.keys(file)).not.toContain('locationKey');
    const shown = await app.fetch(`/files/${file.id}`, { user: 'anna' });
    expect(shown.status).toBe(200);
    expect(await shown.json()).toEqual(file);
    expect(await app.stored()).toHaveLength(1);
  });

  it('gives the content back, byte for byte', async () => {
    const app = await startApp({ platform });
    const content = Buffer.alloc(3_000_000, 'some text that is long enough to come in pieces\n');
    const { id } = await uploadFile(app, 'anna', formWith(content, 'long.txt'));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('3000000');
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
  });

  it('gives an empty file back', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('', 'empty'));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
  });

  it('sends content with headers that keep browsers from running it', async () => {
    const app = await startApp({ platform });
    const { id, hash, createdAt } = await uploadFile(app, 'anna', formWith('hello', 'a "quoted" näme.txt'));
    const { headers } = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(headers.get('content-disposition')).toBe(
      `inline; filename="a \\"quoted\\" name.txt"; filename*=UTF-8''a%20%22quoted%22%20n%C3%A4me.txt`,
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
    expect(headers.get('etag')).toBe(`"${String(hash)}"`);
    expect(headers.get('last-modified')).toBe(new Date(String(createdAt)).toUTCString());
    expect(headers.get('accept-ranges')).toBe('bytes');
  });

  it.each([
    ['an image', 'inline', PNG, 'image/png'],
    ['SVG', 'attachment', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', 'image/svg+xml'],
    ['HTML', 'attachment', '<!doctype html><script>alert(1)</script>', 'text/html'],
    ['what nobody knows', 'attachment', Buffer.from([1, 2, 3, 0, 255]), 'application/octet-stream'],
  ])('sends %s as %s', async (_, disposition, content, contentType) => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith(content, '日本語.txt'));
    const { headers } = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(headers.get('content-type')?.split(';')[0]).toBe(contentType);
    expect(headers.get('content-disposition')).toBe(
      `${disposition}; filename=___.txt; filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E.txt`,
    );
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const head = await app.fetch(`/files/${id}/content`, { method: 'HEAD', user: 'anna' });
    const get = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    const comparable = ({ headers }: Response) =>
      [...headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name));
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe('5');
    expect(comparable(head)).toEqual(comparable(get));
    expect(await head.text()).toBe('');
    expect((await app.fetch(`/files/${id}/content`, { method: 'HEAD' })).status).toBe(404);
  });

  it('deletes a file with its bytes', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const response = await app.fetch(`/files/${id}`, { method: 'DELETE', user: 'anna' });
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(0);
    const deletion = await app.dataSource.getRepository(FileTransfer).findOneByOrFail({ fileId: id, action: 'delete' });
    expect(deletion).toMatchObject({ fromId: 'anna', actorType: 'user', actorId: 'anna' });
    expect(await app.stored()).toEqual([]);
    expect((await app.fetch(`/files/${id}`, { user: 'anna' })).status).toBe(404);
  });

  it('does not tell strangers that a file exists', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    for (const user of ['ben', undefined]) {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/content'],
        ['DELETE', ''],
      ] as const) {
        const real = await app.fetch(`/files/${id}${path}`, { method, ...(user && { user }) });
        const missing = await app.fetch(`/files/${UNKNOWN}${path}`, { method, ...(user && { user }) });
        expect([real.status, missing.status]).toEqual([404, 404]);
        expect((await real.text()).replace(id, UNKNOWN)).toBe(await missing.text());
      }
    }
    expect((await app.fetch(`/files/${id}/content`, { user: 'admin' })).status).toBe(200);
  });

  it.each(['7', 'null', '%00', '%F0%9F%98%80', `${UNKNOWN}'`, 'x'.repeat(90)])(
    'answers 404 to the id %s',
    async (id) => {
      const app = await startApp({ platform });
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/content'],
        ['HEAD', '/content'],
        ['DELETE', ''],
      ] as const) {
        expect((await app.fetch(`/files/${id}${path}`, { method, user: 'admin' })).status).toBe(404);
      }
    },
  );

  it('accepts uploads only from actors who may upload', async () => {
    const app = await startApp({ platform, options: { uploads: 'managers' } });
    const upload = async (user?: string) => {
      const response = await app.fetch('/files', { method: 'POST', body: formWith('hello'), ...(user && { user }) });
      return [response.status, ((await response.json()) as { code?: string }).code];
    };
    expect(await upload()).toEqual([401, 'FILES_AUTHENTICATION_REQUIRED']);
    expect(await upload('anna')).toEqual([403, 'FILES_ACCESS_DENIED']);
    expect(await app.stored()).toEqual([]);
    expect(await upload('admin')).toEqual([201, undefined]);
  });

  it('accepts anonymous uploads where a function allows them, and leaves the files unowned', async () => {
    const app = await startApp({ platform, options: { uploads: (_, storage) => storage === 'default' } });
    const response = await app.fetch('/files', { method: 'POST', body: formWith('hello') });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ ownerType: null, ownerId: null });
  });

  it('stores into the storage that is named before the file', async () => {
    const images = newDirectory();
    const storages = {
      default: memoryStorage(),
      images: fsStorage({ root: images, acceptedTypes: ['image'], maxSize: 100 }),
    };
    const app = await startApp({ platform, options: { storages, uploads: { storages: ['images'] } } });
    const upload = async (content: string | Buffer<ArrayBuffer>, storage?: string) => {
      const body = formWith(content, 'x', storage === undefined ? {} : { storage });
      const response = await app.fetch('/files', { method: 'POST', user: 'anna', body });
      return [
        response.status,
        (await response.json()) as { code?: string; storage?: string; message?: string },
      ] as const;
    };
    expect(await upload(PNG, 'images')).toMatchObject([201, { storage: 'images' }]);
    expect(await upload(PNG)).toMatchObject([403, { code: 'FILES_ACCESS_DENIED' }]);
    expect(await upload('text', 'images')).toMatchObject([415, { code: 'FILES_FILE_TYPE_NOT_ACCEPTED' }]);
    expect(await upload(Buffer.concat([PNG, PNG]), 'images')).toMatchObject([413, { code: 'FILES_FILE_TOO_LARGE' }]);
    const unknown = await app.fetch('/files', {
      method: 'POST',
      user: 'admin',
      body: formWith('x', 'x', { storage: 'videos' }),
    });
    expect([unknown.status, await unknown.json()]).toMatchObject([400, { code: 'FILES_STORAGE_UNKNOWN' }]);
  });

  it('does not delete a pinned file', async () => {
    const app = await startApp({ platform });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    await app.dataSource.getRepository(ManagedFile).update(id, { pinned: true });
    const response = await app.fetch(`/files/${id}`, { method: 'DELETE', user: 'anna' });
    expect([response.status, await response.json()]).toMatchObject([409, { code: 'FILES_FILE_PINNED' }]);
    expect(await app.stored()).toHaveLength(1);
  });

  it('answers 500 without saying where, when the bytes are gone', async () => {
    const storages = { default: memoryStorage() };
    const app = await startApp({ platform, options: { storages } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const { location } = await app.dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    await storages.default.remove(location);
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect([response.status, await response.json()]).toEqual([
      500,
      {
        statusCode: 500,
        code: 'FILES_LOCATION_NOT_FOUND',
        message: 'Internal Server Error',
        error: 'Internal Server Error',
      },
    ]);
    expect(response.headers.get('content-disposition')).toBeNull();
  });
});
