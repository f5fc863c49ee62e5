import { Readable } from 'node:stream';
import { BlockBlobClient } from '@azure/storage-blob';
import type { ContainerClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import {
  begin,
  contentOf,
  describeDirectUploads,
  finish,
  partsOf,
  send,
  sign,
} from '../support/direct-upload-suite.js';
import { AZURE, newContainer, wired, withSas } from './server.js';
import { once } from '../support/wire.js';

const PREFIX = 'app/';

async function setUp() {
  const container = await newContainer();
  const storage = azureStorage({ container, prefix: PREFIX });
  await storage.connect();
  const served = async (location: string) => {
    const { contentType, cacheControl } = await container.getBlobClient(PREFIX + location).getProperties();
    return [contentType, cacheControl];
  };
  return { container, storage, served, unfinished: () => arrivalsIn(container) };
}

/** Where clients send to, also what has nothing but blocks. */
async function arrivalsIn(container: ContainerClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true }))
    if (name.startsWith(`${PREFIX}.nestjs-files/uploads/`)) names.push(name);
  return names;
}

/** What a client has that takes the signed address for more than it was given for. */
const blobAt = (url: string): BlockBlobClient => {
  const address = new URL(url);
  for (const name of ['comp', 'blockid']) address.searchParams.delete(name);
  return new BlockBlobClient(address.href);
};

describe.skipIf(!AZURE)('Azure Blob Storage', () => {
  describeDirectUploads('a container', setUp);

  describe('a client that has a signed address', () => {
    it('has sent no part with any other length', async () => {
      const { storage } = await setUp();
      const upload = await begin(storage, 5);
      const { put } = await send(storage, upload, 1, Buffer.from('12345'));
      await put('123456');
      expect(await partsOf(storage, upload)).toMatchObject([{ number: 1, size: 6 }]);
      expect(await put('1234')).toBe(201);
      expect(await partsOf(storage, upload)).toMatchObject([{ number: 1, size: 4 }]);
    });

    it('can do nothing but write with it, and only until it expires, and nowhere else', async () => {
      const { storage } = await setUp();
      await storage.write('other', Readable.from(['other']));
      const upload = await begin(storage, 5);
      const { url } = await send(storage, upload, 1, Buffer.from('first'));
      expect(new URL(url).searchParams.get('sp')).toBe('w');
      const blob = blobAt(url);
      await blob.commitBlockList([]);
      const refused = [
        () => blob.download(),
        () => blob.delete(),
        () => blob.getBlockList('all'),
        () => new BlockBlobClient(blob.url.replace(/\/app\/[^?]*/, '/app/other')).upload('x', 1),
        () => new BlockBlobClient(blob.url.replace(/\/app\/[^?]*/, '/app/file')).stageBlock('eA==', 'x', 1),
      ];
      for (const call of refused) await expect(call()).rejects.toMatchObject({ statusCode: 403 });
      const expiresAt = new Date(Date.now() - 1000);
      const late = await storage.direct('file', (uploads) =>
        uploads.sign('file', upload, { number: 1, size: 5, expiresAt }),
      );
      expect((await fetch(late.url, { method: 'PUT', body: 'first' })).status).toBe(403);
    });

    it('changes nothing by what it makes of its blocks itself, before and after the object is there', async () => {
      const { storage, served, unfinished } = await setUp();
      const upload = await begin(storage, 5);
      const { url, put } = await send(storage, upload, 1, Buffer.from('first'));
      const blob = blobAt(url);
      const headers = { blobHTTPHeaders: { blobContentType: 'text/html', blobCacheControl: 'public' } };
      await blob.upload('<b>', 3, headers);
      await put('first');
      await blob.setHTTPHeaders(headers.blobHTTPHeaders);
      await finish(storage, upload);
      expect([await contentOf(storage), ...(await served('file'))]).toEqual([
        'first',
        'application/octet-stream',
        undefined,
      ]);

      await blob.upload('again', 5, headers);
      await put('later');
      await finish(storage, upload);
      expect([await contentOf(storage), (await served('file'))[0]]).toEqual(['first', 'application/octet-stream']);
      expect(await storage.exists('file')).toBe(true);
      await storage.direct('file', (uploads) => uploads.abort('file'));
      expect(await unfinished()).toEqual([]);
    });

    it('gets nothing into the object that it sends while that is made', async () => {
      const { container } = await setUp();
      const { wire, container: far } = await wired(container);
      const storage = azureStorage({ container: far, prefix: PREFIX });
      const upload = await begin(storage, 5);
      const { url } = await send(storage, upload, 1, Buffer.from('first'));
      const blob = blobAt(url);
      let isChanged = false;
      wire.disturb(({ headers }) => (headers['x-ms-copy-source'] !== undefined && !isChanged ? 'hold' : undefined));
      const finishing = finish(storage, upload);
      await expect.poll(() => wire.held).toBe(1);
      isChanged = true;
      await new BlockBlobClient(blob.url.replace(wire.url.host, new URL(container.url).host)).upload('other', 5);
      wire.letGo();
      // What the client has made took the blocks with it.
      await expect(finishing).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
      expect([await storage.exists('file'), await partsOf(storage, upload)]).toEqual([false, []]);
    });

    it('keeps nobody from removing what it sent, by no lease and no snapshot', async () => {
      const { storage, unfinished } = await setUp();
      const upload = await begin(storage, 5);
      const { url } = await send(storage, upload, 1, Buffer.from('first'));
      const blob = blobAt(url);
      await blob.upload('other', 5);
      await blob.createSnapshot();
      await blob.getBlobLeaseClient().acquireLease(-1);
      await storage.direct('file', (uploads) => uploads.abort('file'));
      expect(await unfinished()).toEqual([]);
    });
  });

  it('does not tell of what clients send, and has no file there', async () => {
    const { storage } = await setUp();
    const upload = await begin(storage, 0);
    await send(storage, upload, 1, Buffer.alloc(0));
    const locations: string[] = [];
    for await (const { location } of storage.list()) locations.push(location);
    for await (const { location } of storage.list('.nestjs-files')) locations.push(location);
    expect(locations).toEqual([]);
    const inside = storage.write('.nestjs-files/uploads/x', Readable.from(['x']));
    await expect(inside).rejects.toMatchObject({ code: 'FILES_LOCATION_INVALID' });
  });

  it('goes on with an upload whose completion was cut off, wherever that was', async () => {
    const { container, unfinished } = await setUp();
    const { wire, container: far } = await wired(container);
    const storage = azureStorage({ container: far, prefix: PREFIX });
    const steps = [/comp=blocklist/, /uploads/, /file /, /file$/, /^PUT .*file/, /^DELETE/];
    for (const step of steps)
      for (const how of ['request', 'answer'] as const) {
        wire.disturb(() => undefined);
        const upload = await begin(storage, 5);
        await send(storage, upload, 1, Buffer.from('first'));
        const parts = await partsOf(storage, upload);
        wire.disturb(({ line }) => (step.test(line) ? how : undefined));
        await finish(storage, upload, parts).catch((error: unknown) =>
          expect(error).toMatchObject({ code: 'FILES_STORAGE_FAILED' }),
        );
        wire.disturb(once(step, how));
        await finish(storage, upload, parts).catch(async (error: unknown) => {
          expect(error).toMatchObject({ code: 'FILES_STORAGE_FAILED' });
          await finish(storage, upload, parts);
        });
        expect([await contentOf(storage), await unfinished()], `${step} ${how}`).toEqual(['first', []]);
        await storage.remove('file');
      }
  });

  it('removes only the remains of old uploads that nobody knows of', async () => {
    const { storage, unfinished } = await setUp();
    const upload = await begin(storage, 5);
    const { url } = await send(storage, upload, 1, Buffer.from('first'));
    await blobAt(url).upload('first', 5);
    expect(await storage.removeLeftovers(new Date(Date.now() - 60_000))).toEqual({ count: 0, size: 0 });
    expect(await storage.removeLeftovers(new Date(Date.now() + 60_000))).toEqual({ count: 1, size: 5 });
    expect(await unfinished()).toEqual([]);
  });

  it('takes larger parts where the usual ones would be too many', async () => {
    const { storage } = await setUp();
    expect(await begin(storage, 100_000 * 8 * 1024 * 1024)).toMatchObject({ partSize: 2 * 8 * 1024 * 1024 });
  });

  it('signs nothing where the client has no more than a SAS', async () => {
    const storage = azureStorage({ container: await withSas(await newContainer()) });
    expect(storage.can('directUploads')).toBe(false);
    await expect(begin(storage, 5)).rejects.toMatchObject({ code: 'FILES_CAPABILITY_MISSING' });
  });

  it('signs a part without telling the key, and with no headers that a client would have to be allowed', async () => {
    const { storage } = await setUp();
    const upload = await begin(storage, 5);
    const { method, headers } = await sign(storage, upload, 1, 5);
    expect([method, headers]).toEqual(['PUT', {}]);
  });
});
