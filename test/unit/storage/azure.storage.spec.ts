import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';

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
    expect(() => storage.assertLocation('.nestjs-files/mark')).toThrow(/that of the mark/);
    expect(() => storage.assertLocation(`${longest}a`)).toThrow(/with the prefix it is longer than 1024/);
    expect(() => storage.assertLocation('a\uFFFE')).toThrow(/lists cannot show/);
    storage.assertLocation(longest);
  });
});
