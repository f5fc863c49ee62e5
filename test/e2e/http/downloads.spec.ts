import { get } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { Capability, Storage } from '../../../lib/entry/storage.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

/** A storage that takes everything and gives what the test wants. */
class Scripted extends Storage {
  readonly opened: Readable[] = [];

  constructor(private readonly content: () => AsyncIterable<Buffer> | Iterable<Buffer>) {
    super(Capability.CREATE | Capability.STREAM);
  }

  protected async put(_location: string, content: Readable): Promise<void> {
    for await (const _ of content);
  }

  protected async open(): Promise<Readable> {
    const stream = Readable.from(this.content(), { objectMode: false });
    this.opened.push(stream);
    return stream;
  }

  protected async erase(): Promise<void> {}

  protected async inspect(): Promise<undefined> {}
}

const MEBIBYTE = Buffer.alloc(1024 * 1024);

describe.each(PLATFORMS)('downloads on %s', (platform) => {
  const start = async (content: ConstructorParameters<typeof Scripted>[0]) => {
    const storage = new Scripted(content);
    const app = await startApp({ platform, options: { storages: { default: storage } } });
    const { id } = await uploadFile(app, 'anna', formWith(MEBIBYTE));
    return { app, storage, path: `/files/${id}/content` };
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

  it('break off when the storage fails on the way, so that nobody takes a part for the whole', async () => {
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
    const { app, storage, path } = await start(async function* () {
      for (;;) yield MEBIBYTE;
    });
    const request = get(app.url + path, { headers: { 'x-user': 'anna' } }, (response) => {
      response.once('data', () => request.destroy());
    });
    request.on('error', () => {});
    await vi.waitFor(() => expect(storage.opened[0]?.destroyed).toBe(true));
  });

  it('do not open the storage for HEAD', async () => {
    const { app, storage, path } = await start(() => [MEBIBYTE]);
    const response = await app.fetch(path, { method: 'HEAD', user: 'anna' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(MEBIBYTE.length)]);
    expect(storage.opened).toEqual([]);
  });
});
