import { Storage } from '@google-cloud/storage';
import { describe, expect, it } from 'vitest';
import { gcsStorage } from 'nestjs-files/storage/gcs';

const bucket = new Storage({ projectId: 'acme' }).bucket('files');
const refused = (reason: RegExp) =>
  expect.objectContaining({ code: 'FILES_STORAGE_OPTION_INVALID', message: expect.stringMatching(reason) });

// With a server: test/gcs.
describe('gcsStorage', () => {
  it('refuses a value that is not a bucket', () => {
    for (const wrong of [undefined, 'files', {}])
      expect(() => gcsStorage({ bucket: wrong as never })).toThrow(
        refused(/^Storage option "bucket" is "\w+"\. Expected: a Bucket of @google-cloud/),
      );
  });

  it.each(['/', '/app/', '../app/', 'app//', 'a\\b/'])('refuses the prefix %j', (prefix) => {
    expect(() => gcsStorage({ bucket, prefix })).toThrow(refused(/^Storage option "prefix" is /));
  });

  it.each(['cdn.example.org', 'ftp://example.org', 'https://example.org/?sig=1'])(
    'refuses the public address %j',
    (publicBaseUrl) => {
      expect(() => gcsStorage({ bucket, publicBaseUrl })).toThrow(refused(/^Storage option "publicBaseUrl" is /));
    },
  );

  it('takes a prefix with and without a slash at its end', async () => {
    for (const prefix of ['app', 'app/']) {
      const storage = gcsStorage({ bucket, prefix, publicBaseUrl: 'https://storage.googleapis.com/files/' });
      expect(storage.markPlace?.place).toBe('gs://files/app/');
      expect(await storage.publicUrl('a b/ü')).toBe('https://storage.googleapis.com/files/app/a%20b/%C3%BC');
    }
  });

  it('refuses the location of its mark, and names that Google does not have', () => {
    const storage = gcsStorage({ bucket, prefix: 'app/' });
    const longest = `${'a'.repeat(1018)}ä`;
    expect(() => storage.assertLocation('.nestjs-files/mark')).toThrow(/that of the mark/);
    expect(() => storage.assertLocation('.nestjs-files/uploads/a')).toThrow(/uploads are kept there/);
    expect(() => storage.assertLocation(`${longest}a`)).toThrow(/with the prefix it is longer than 1024 bytes/);
    storage.assertLocation(longest);
  });
});
