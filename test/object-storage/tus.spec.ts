import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { startApp } from '../support/http-app.js';
import { openPatch, tusOf } from '../support/tus-app.js';
import { describeTus } from '../support/tus-suite.js';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import type { S3Request } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const PART = 5 * 1024 * 1024;

/** Both kinds of server: one that heeds conditions, and one that knows none. */
const SERVERS = {
  'with conditional writes': async () => newS3Storage({ partSize: PART }),
  'without conditional writes': async () => {
    const { endpoint } = await s3Proxy(withoutConditions);
    return newS3Storage({ partSize: PART, client: { ...s3Config(), endpoint }, conditionalWrites: false });
  },
};

for (const [name, newStorage] of Object.entries(SERVERS))
  describeTus(`a server ${name}`, PART, async () => {
    const { storage, inside } = await newStorage();
    const left = async () =>
      [...(await inside.keys()), ...(await inside.uploads())].filter((key) => key !== '.nestjs-files/mark');
    return { storage, left };
  });

it.each([
  [PART, PART, 2],
  [PART, 1, 2],
  [PART - 1, PART, 0],
])('joins uploads of %i and %i bytes with %i copies in the bucket', async (one, two, copies) => {
  const { endpoint, requests } = await s3Proxy();
  const { storage } = await newS3Storage({ partSize: PART, client: { ...s3Config(), endpoint } });
  const app = await startApp({ options: { storages: { default: storage } } });
  const { create, content, read } = tusOf(app);
  const bytes = randomBytes(one + two);
  const parts: string[] = [];
  for (const part of [bytes.subarray(0, one), bytes.subarray(one)]) {
    const { path } = await create({ 'Upload-Concat': 'partial', 'Upload-Length': part.length }, part);
    parts.push(path);
  }
  const before = requests.length;
  const { id } = await create({ 'Upload-Concat': `final;${parts.join(' ')}` });
  expect((await content(id)).equals(bytes)).toBe(true);
  const hash = createHash('sha256').update(bytes).digest('hex');
  expect((await read(id)).body).toMatchObject({ size: bytes.length, hash });
  const since = requests.slice(before);
  expect(since.filter(({ headers }) => headers['x-amz-copy-source'] !== undefined)).toHaveLength(copies);
  const sent = since.reduce((sum, { headers }) => sum + Number(headers['content-length'] ?? 0), 0);
  if (copies > 0) expect(sent).toBeLessThan(10_000);
  else expect(sent).toBeGreaterThan(bytes.length);
});

it('sends a part to the bucket while it arrives, and keeps what came of it where it breaks off', async () => {
  const { endpoint, requests } = await s3Proxy();
  const { storage } = await newS3Storage({ partSize: PART, client: { ...s3Config(), endpoint } });
  const app = await startApp({ options: { storages: { default: storage } } });
  const { create, patch, offset, content } = tusOf(app);
  const bytes = randomBytes(PART + 7);
  const { path, id } = await create({ 'Upload-Length': bytes.length });
  const broken = openPatch(app.url, path, 0, bytes.length);
  broken.request.write(bytes.subarray(0, 1_000_000));
  const isSending = () => requests.some(({ text }) => /^PUT .*partNumber=1/.test(text));
  await expect.poll(isSending, { timeout: 20_000 }).toBe(true);
  expect(await offset(path)).toBe(0);
  broken.request.destroy();
  await expect.poll(() => offset(path), { timeout: 20_000 }).toBe(1_000_000);
  const rest = async () => (await patch(path, 1_000_000, bytes.subarray(1_000_000))).status;
  await expect.poll(rest, { timeout: 20_000 }).toBe(204);
  expect((await content(id)).equals(bytes)).toBe(true);
});

it('sends a part again whose request has failed', async () => {
  const isPart = ({ text }: S3Request) => /^PUT .*partNumber=1/.test(text);
  const proxy = await s3Proxy();
  proxy.decide = (request) =>
    isPart(request) && proxy.requests.filter(isPart).length === 1 ? { cut: 'reply' } : undefined;
  const client = { ...s3Config(), endpoint: proxy.endpoint };
  const { storage } = await newS3Storage({ partSize: PART, client });
  const { create, content } = tusOf(await startApp({ options: { storages: { default: storage } } }));
  const bytes = randomBytes(PART);
  const { id } = await create({ 'Upload-Length': bytes.length }, bytes);
  expect((await content(id)).equals(bytes)).toBe(true);
  expect(proxy.requests.filter(isPart)).toHaveLength(2);
});

it('appends nothing behind a tail that another request has replaced', async () => {
  const { storage, inside } = await newS3Storage({ partSize: PART });
  const on = storage.resumable.bind(storage);
  const handle = await on('file', (place) => place.begin('file', 100));
  const append = (offset: number, text: string) =>
    on('file', (place) => place.append('file', handle, offset, Readable.from([Buffer.from(text)])));
  await append(0, 'hello');
  await append(5, ', world');
  await expect(append(5, ' again')).rejects.toMatchObject({ code: 'FILES_STORAGE_FAILED' });
  await on('file', (place) => place.finish('file', handle));
  expect(await inside.content('file')).toBe('hello, world');
});
