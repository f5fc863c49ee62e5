import { Readable } from 'node:stream';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { AppendBlobAppendBlockResponse, AppendBlobClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';

const MIB = 1024 ** 2;
const credential = new StorageSharedKeyCredential('acme', Buffer.from('key').toString('base64'));
const container = new ContainerClient('https://acme.blob.core.windows.net/files', credential);
const refused = (reason: RegExp) =>
  expect.objectContaining({ code: 'FILES_STORAGE_OPTION_INVALID', message: expect.stringMatching(reason) });

// With a server: test/azure.
describe('azureStorage', () => {
  it('refuses an object that is not a container, and keeps keys out of the message', () => {
    const connection = 'DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=c2VjcmV0';
    for (const wrong of [undefined, connection, {}]) {
      const make = () => azureStorage({ container: wrong as never });
      expect(make).toThrow(refused(/^Storage option "container" is "\w+"\. Expected: a ContainerClient/));
    }
  });

  it.each(['/', '/app/', '../app/', 'app//', 'a\\b/'])('refuses the prefix %j', (prefix) => {
    expect(() => azureStorage({ container, prefix })).toThrow(refused(/^Storage option "prefix" is /));
  });

  it.each(['cdn.example.org', 'ftp://example.org', 'https://example.org/?sig=1', 'https://example.org/#a'])(
    'refuses the public address %j',
    (publicBaseUrl) => {
      expect(() => azureStorage({ container, publicBaseUrl })).toThrow(refused(/^Storage option "publicBaseUrl" is /));
    },
  );

  it('takes a prefix with and without a slash at its end', async () => {
    for (const prefix of ['app', 'app/']) {
      const storage = azureStorage({ container, prefix, publicBaseUrl: 'https://cdn.example.org/' });
      expect(storage.markPlace?.place).toBe('https://acme.blob.core.windows.net/files/app/');
      expect(await storage.publicUrl('a b/ü')).toBe('https://cdn.example.org/app/a%20b/%C3%BC');
    }
  });

  it('refuses the location of its mark, and names that Azure does not have', () => {
    const storage = azureStorage({ container, prefix: 'app/' });
    const longest = 'a'.repeat(1020);
    expect(() => storage.assertLocation('.nestjs-files/mark')).toThrow(/the mark of the storage uses it/);
    expect(() => storage.assertLocation(`${longest}a`)).toThrow(/with the prefix it is longer than 1024/);
    expect(() => storage.assertLocation('a\uFFFE')).toThrow(/lists cannot show/);
    storage.assertLocation(longest);
  });

  it('appends in blocks of 4 MiB, however the content is cut', async () => {
    const { blocks, append } = appending();
    expect(await append(Readable.from(chunksOf(8 * MIB, 60_000)))).toBe(8 * MIB);
    expect(await append(Readable.from([Buffer.alloc(9 * MIB), Buffer.alloc(1)]))).toBe(9 * MIB + 1);
    const offsets = [0, 4 * MIB, 0, 4 * MIB, 8 * MIB];
    const lengths = [4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB, MIB + 1];
    expect(blocks).toEqual(offsets.map((offset, at) => ({ offset, length: lengths[at] })));
  });

  it('appends nothing after a block that Azure refused', async () => {
    const { blocks, append } = appending(new Error('refused'));
    await expect(append(Readable.from([Buffer.alloc(5 * MIB), Buffer.alloc(1)]))).rejects.toThrow('refused');
    expect(blocks).toHaveLength(1);
  });
});

/** A storage of a container that takes or refuses blocks, and what it was sent. */
function appending(refusal?: Error) {
  const blocks: { offset: number; length: number }[] = [];
  const appendBlock: AppendBlobClient['appendBlock'] = async (_body, length, { conditions } = {}) => {
    blocks.push({ offset: conditions?.appendPosition ?? -1, length });
    if (refusal) throw refusal;
    return {} as AppendBlobAppendBlockResponse;
  };
  const faked = Object.assign(Object.create(container) as ContainerClient, {
    getAppendBlobClient: () => ({ appendBlock }),
  });
  const storage = azureStorage({ container: faked });
  const append = (content: Readable) => storage.resumable('a', (uploads) => uploads.append('a', '', 0, content));
  return { blocks, append };
}

function* chunksOf(size: number, length: number): Generator<Buffer, void> {
  for (let at = 0; at < size; at += length) yield Buffer.alloc(Math.min(length, size - at));
}
