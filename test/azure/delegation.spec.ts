import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it, onTestFinished } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import { begin, contentOf, finish, send } from '../support/direct-upload-suite.js';

/** Where tokens are taken: over HTTPS. */
const TOKENS = process.env['FILES_TEST_AZURE_TOKENS'];

const DAY = 86_400_000;

/** What Microsoft Entra would issue. Azurite reads it, and asks nobody who signed it. */
function token(): string {
  const now = Math.floor(Date.now() / 1000);
  const tenant = randomUUID();
  const claims = {
    aud: 'https://storage.azure.com',
    iss: `https://sts.windows.net/${tenant}/`,
    iat: now - 60,
    nbf: now - 60,
    exp: now + 3600,
    oid: randomUUID(),
    tid: tenant,
  };
  const parts = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return [...parts, 'signature'].join('.');
}

async function setUp() {
  const credential = { getToken: async () => ({ token: token(), expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const service = new BlobServiceClient(TOKENS ?? '', credential);
  const container = service.getContainerClient(`test-${randomUUID()}`);
  await container.create();
  onTestFinished(async () => void (await container.deleteIfExists()));
  const storage = azureStorage({ container, service });
  await storage.connect();
  return { service, container, storage };
}

const request = (expiresIn: number) => ({
  expiresAt: new Date(Date.now() + expiresIn),
  disposition: 'inline' as const,
  name: 'ä.txt',
  contentType: 'text/plain',
});

it.skipIf(!TOKENS)('lends a file with the key that a token is given, and asks for a key once', async () => {
  const { storage, container } = await setUp();
  await storage.write('a b/ü', Readable.from([Buffer.from('content')]));
  const [url, again] = [
    await storage.temporaryUrl('a b/ü', request(60_000)),
    await storage.temporaryUrl('x', request(DAY / 2)),
  ];
  const lent = await fetch(url);
  const query = new URL(url).searchParams;
  expect([lent.status, await lent.text(), lent.headers.get('content-type')]).toEqual([200, 'content', 'text/plain']);
  expect(query.get('sp')).toBe('r');
  expect(new URL(again).searchParams.get('ske')).toBe(query.get('ske'));
  expect((await fetch(await storage.temporaryUrl('a b/ü', request(-60_000)))).status).toBe(403);
  expect(azureStorage({ container }).can('temporaryUrl')).toBe(false);
});

it.skipIf(!TOKENS)('lends a file for up to 7 days, as its key lasts no longer', async () => {
  const { storage } = await setUp();
  await storage.write('file', Readable.from([Buffer.from('content')]));
  expect((await fetch(await storage.temporaryUrl('file', request(6.9 * DAY)))).status).toBe(200);
  await expect(storage.temporaryUrl('file', request(7 * DAY))).rejects.toThrow(/less than 7 days/);
});

it.skipIf(!TOKENS)('writes, copies, reads and removes with a token', async () => {
  const { storage } = await setUp();
  await storage.write('file', Readable.from([Buffer.from('content')]));
  await storage.move('file', 'moved');
  expect(await text(await storage.read('moved'))).toBe('content');
  await storage.removeAll(['file', 'moved']);
  expect(await storage.exists('moved')).toBe(false);
});

it.skipIf(!TOKENS)('signs the parts of direct uploads with that key', async () => {
  const { storage } = await setUp();
  const upload = await begin(storage, 5);
  const { url, put } = await send(storage, upload, 1, Buffer.from('first'));
  const query = new URL(url).searchParams;
  expect([query.get('sp'), query.has('skoid')]).toEqual(['w', true]);
  await finish(storage, upload);
  await put('again');
  expect(await contentOf(storage)).toBe('first');
});
