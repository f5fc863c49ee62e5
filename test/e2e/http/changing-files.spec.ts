import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FilesService } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';

const secrets = ['a secret of tests that is 32 bytes long'];

/** What happens to the file after its row was read, and before its bytes are. */
const CHANGES: [string, (files: FilesService, id: string) => Promise<unknown>, number, string?][] = [
  ['is replaced', (files, id) => files.replace(id, Buffer.from('the new content')), 200, 'the new content'],
  ['is moved', (files, id) => files.move(id, 'other'), 200, 'the content'],
  ['is deleted', (files, id) => files.delete(id), 404],
  [
    'is replaced and given away',
    async (files, id) => {
      await files.replace(id, Buffer.from('a secret'));
      await files.transferOwnership(id, { ownerType: 'user', ownerId: 'ben' });
    },
    404,
  ],
];

describe.each(PLATFORMS)('a download on %s', (platform) => {
  const start = async () => {
    const storage = memoryStorage();
    const storages = { default: storage, other: memoryStorage() };
    const app = await startApp({ platform, options: { storages, links: { secrets } } });
    const { id } = await uploadFile(app, 'anna', formWith('the content'));
    const files = app.app.get(FilesService);
    const read = storage.read.bind(storage);
    /** Does this once, when somebody is about to read. */
    const beforeRead = (work: () => Promise<unknown>) => {
      storage.read = async (location, range) => {
        storage.read = read;
        await work();
        return read(location, range);
      };
    };
    return { app, id, files, storage, beforeRead };
  };
  const download = async (app: HttpApp, path: string, headers = {}) => {
    const response = await app.fetch(path, { user: 'anna', headers });
    return { response, status: response.status, content: await response.text() };
  };

  it.each(CHANGES)(
    'sends the file as it is at that moment when it %s meanwhile',
    async (_, change, status, content) => {
      const { app, id, files, beforeRead } = await start();
      beforeRead(() => change(files, id));
      const answer = await download(app, `/files/${id}/content`);
      expect(answer.status).toBe(status);
      if (content === undefined) return;
      expect(answer.content).toBe(content);
      const { hash } = await files.findOrFail(id);
      expect(answer.response.headers.get('etag')).toBe(`"${hash}"`);
    },
  );

  it('goes on with a range only of the content that it began with', async () => {
    const { app, id, files, beforeRead } = await start();
    const etag = `"${(await files.findOrFail(id)).hash}"`;
    beforeRead(() => files.replace(id, Buffer.from('the new content')));
    const headers = { range: 'bytes=4-', 'if-range': etag };
    expect(await download(app, `/files/${id}/content`, headers)).toMatchObject({
      status: 200,
      content: 'the new content',
    });
  });

  it.each([
    ['is replaced', CHANGES[0]![1], 200, 'the new content', 0],
    ['is moved', CHANGES[1]![1], 200, 'the content', 0],
    ['is deleted', CHANGES[2]![1], 404, undefined, 1],
  ])('sends, by a one-time link, the file as it is at that moment when it %s meanwhile', async (...row) => {
    const [, change, status, content, left] = row;
    const { app, id, files, beforeRead } = await start();
    const { url } = await app.app.get(FilesLinks).oneTime(id);
    beforeRead(() => change(files, id));
    const answer = await download(app, url!);
    expect(answer).toMatchObject({ status, ...(content !== undefined && { content }) });
    if (status === 404) expect(JSON.parse(answer.content)).toMatchObject({ code: 'FILES_LINK_NOT_FOUND' });
    expect(await app.dataSource.query('SELECT * FROM files_link')).toHaveLength(left);
  });

  it('leaves a one-time link unused when the file becomes the content that the client has', async () => {
    const { app, id, files, beforeRead } = await start();
    const { url } = await app.app.get(FilesLinks).oneTime(id);
    beforeRead(() => files.replace(id, Buffer.from('the new content')));
    const known = createHash('sha256').update('the new content').digest('hex');
    expect(await download(app, url!, { 'if-none-match': `"${known}"` })).toMatchObject({ status: 304, content: '' });
    expect(await download(app, url!)).toMatchObject({ status: 200, content: 'the new content' });
    expect(await app.dataSource.query('SELECT * FROM files_link')).toHaveLength(0);
  });

  it('answers 500 when the bytes are gone', async () => {
    const { app, id, files, storage } = await start();
    await storage.remove((await files.findOrFail(id)).location);
    const answer = await download(app, `/files/${id}/content`);
    expect([answer.status, JSON.parse(answer.content)]).toMatchObject([500, { code: 'FILES_LOCATION_NOT_FOUND' }]);
  });

  it('ends with an answer though the file is replaced again and again', async () => {
    const { app, id, files, storage } = await start();
    const read = storage.read.bind(storage);
    let count = 0;
    storage.read = async (location, range) => {
      await files.replace(id, Buffer.from(`content ${++count}`));
      return read(location, range);
    };
    expect((await download(app, `/files/${id}/content`)).status).toBe(409);
    expect(count).toBe(5);
  });
});

describe('FilesService, of a file that is replaced meanwhile', () => {
  const start = async () => {
    const storage = memoryStorage();
    const app = await startApp({ options: { storages: { default: storage, other: memoryStorage() } } });
    const files = app.app.get(FilesService);
    const file = await files.create(Buffer.from('the content'), { name: 'a.txt' });
    for (const operation of ['read', 'copy'] as const) {
      const original = storage[operation].bind(storage) as (...args: unknown[]) => Promise<never>;
      storage[operation] = async (...args: unknown[]) => {
        storage[operation] = original;
        await files.replace(file.id, Buffer.from('the new content'));
        return original(...args);
      };
    }
    return { files, file };
  };
  const contentOf = async (files: FilesService, id: string) => {
    const chunks: Buffer[] = [];
    for await (const chunk of await files.stream(id)) chunks.push(chunk as Buffer);
    return String(Buffer.concat(chunks));
  };

  it('streams the current content, by its id', async () => {
    const { files, file } = await start();
    expect(await contentOf(files, file.id)).toBe('the new content');
  });

  it('says so, by a row that was read before', async () => {
    const { files, file } = await start();
    await expect(files.stream(file)).rejects.toMatchObject({ code: 'FILES_FILE_CHANGED' });
  });

  it.each(['default', 'other'])('copies the current content, to the storage "%s"', async (storage) => {
    const { files, file } = await start();
    const { id, size } = await files.copy(file.id, { storage });
    expect([size, await contentOf(files, id)]).toEqual([15, 'the new content']);
  });

  it('moves the current content', async () => {
    const { files, file } = await start();
    expect(await files.move(file.id, 'other')).toMatchObject({ storage: 'other', size: 15 });
    expect(await contentOf(files, file.id)).toBe('the new content');
  });
});
