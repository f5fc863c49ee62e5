import { get } from 'node:http';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { StorageAdapter } from '../../../lib/entry/storage.js';
import { Storage } from '../../../lib/storage/storage.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

type Chunks = () => AsyncIterable<Buffer> | Iterable<Buffer>;

/** Takes everything and gives what the test wants. */
function scripted(content: Chunks) {
  const opened: Readable[] = [];
  const adapter: StorageAdapter = {
    write: (_, uploaded) => finished(uploaded.resume()),
    read: async () => {
      const stream = Readable.from(content(), { objectMode: false });
      opened.push(stream);
      return stream;
    },
  };
  return { adapter, opened };
}

const MEBIBYTE = Buffer.alloc(1024 * 1024);

describe.each(PLATFORMS)('downloads on %s', (platform) => {
  const start = async (content: Chunks) => {
    const { adapter, opened } = scripted(content);
    const app = await startApp({ platform, options: { storages: { default: adapter } } });
    const { id } = await uploadFile(app, 'anna', formWith(MEBIBYTE));
    return { app, opened, path: `/files/${id}/content` };
  };

  it('answer 500 when nothing can be read', async () => {
    const { app, path } = await start(async function* () {
      yield* [];
      throw new Error('EIO: /secret/place');
    });
    const response = await app.fetch(path, { user: 'anna' });
    expect([response.status, await response.json()]).toMatchObject([
      500,
      { code: 'FILES_STORAGE_FAILED', message: 'Internal Server Error' },
    ]);
    expect(response.headers.get('content-disposition')).toBeNull();
  });

  it('break off when the storage fails on the way, so that no client takes a part for the whole', async () => {
    const { app, path } = await start(async function* () {
      yield MEBIBYTE.subarray(0, 1000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('EIO');
    });
    const response = await app.fetch(path, { user: 'anna' });
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it('let go of the storage when the client goes away', async () => {
    const { app, opened, path } = await start(async function* () {
      for (;;) yield MEBIBYTE;
    });
    const request = get(app.url + path, { headers: { 'x-user': 'anna' } }, (response) => {
      response.once('data', () => request.destroy());
    });
    request.on('error', () => {});
    await expect.poll(() => opened[0]?.destroyed).toBe(true);
  });

  it.each<[string, () => string]>([
    [
      'throws',
      () => {
        throw new Error('no such owner');
      },
    ],
    ['gives what no header can have', () => 'private,\r\nno-cache'],
  ])('answer 500 and leave no content open when the cacheControl of the application %s', async (_, cacheControl) => {
    const { adapter, opened } = scripted(() => [MEBIBYTE]);
    const storages = { default: new Storage(adapter, { cacheControl }) };
    const app = await startApp({ platform, options: { storages } });
    const { id } = await uploadFile(app, 'anna', formWith(MEBIBYTE));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ statusCode: 500, message: 'Internal server error' });
    expect(response.headers.get('content-disposition')).toBeNull();
    expect(opened.filter(({ destroyed }) => !destroyed)).toEqual([]);
  });

  it('do not open the storage for HEAD', async () => {
    const { app, opened, path } = await start(() => [MEBIBYTE]);
    const response = await app.fetch(path, { method: 'HEAD', user: 'anna' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(MEBIBYTE.length)]);
    expect(opened).toEqual([]);
  });
});
