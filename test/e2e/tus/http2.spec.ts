import { randomBytes } from 'node:crypto';
import { IsNull } from 'typeorm';
import { expect, it, vi } from 'vitest';
import { UploadAbortedError } from 'nestjs-files/errors';
import { ResumableUploads } from '../../../lib/files/resumable/resumable-uploads.js';
import { FileUpload } from '../../../lib/files/uploads/file-upload.entity.js';
import { startHttp2 } from '../../support/http2-client.js';

// A busy machine takes its time.
const SOON = { timeout: 30_000 };
const BYTES = randomBytes(2_000_000);
const TUS = { 'tus-resumable': '1.0.0' };
const TYPE = { ...TUS, 'content-type': 'application/offset+octet-stream' };

it('makes a file of an upload that comes by HTTP/2, also where a request was cut off', async () => {
  const { open, send } = await startHttp2();
  const { status, headers } = await send('POST', '/files/tus', { ...TUS, 'upload-length': BYTES.length });
  expect(status).toBe(201);
  const { location = '' } = headers;
  const cut = open('PATCH', location, { ...TYPE, 'upload-offset': 0 });
  cut.on('error', () => {});
  cut.write(BYTES.subarray(0, 500_000));
  const offset = async () => Number((await send('HEAD', location, TUS)).headers['upload-offset']);
  await expect.poll(offset, SOON).toBe(500_000);
  cut.destroy();
  // Until the server knows.
  const rest = BYTES.subarray(500_000);
  const go = async () => (await send('PATCH', location, { ...TYPE, 'upload-offset': 500_000 }, rest)).status;
  await expect.poll(go, SOON).toBe(204);
  const id = location.split('/').at(-1) ?? '';
  expect((await send('HEAD', location, TUS)).headers['file-id']).toBe(id);
  expect((await send('GET', `/files/${id}/content`)).body.equals(BYTES)).toBe(true);
});

it('makes one file of the same request by HTTP/2, where it comes twice at once', async () => {
  const { send } = await startHttp2();
  const { headers } = await send('POST', '/files/tus', { ...TUS, 'upload-length': BYTES.length });
  const { location = '' } = headers;
  const append = { ...TYPE, 'upload-offset': 0 };
  const both = await Promise.all([1, 2].map(() => send('PATCH', location, append, BYTES)));
  const [done, other] = both.map(({ status }) => status).sort((a, b) => a - b);
  expect(done).toBe(204);
  expect([409, 423]).toContain(other);
  const id = location.split('/').at(-1) ?? '';
  expect((await send('GET', `/files/${id}/content`)).body.equals(BYTES)).toBe(true);
});

it.each([
  ['cancels', 8],
  ['closes without an error', 0],
])('forgets an upload whose first bytes come with its creation, where the client %s the stream', async (_, code) => {
  const { app, open } = await startHttp2();
  const append = vi.spyOn(app.app.get(ResumableUploads), 'append');
  const abort = vi.spyOn(app.app.get(ResumableUploads), 'abort');
  const stream = open('POST', '/files/tus', {
    ...TYPE,
    'upload-length': BYTES.length,
    'content-length': BYTES.length,
  });
  stream.on('error', () => {}).write(BYTES.subarray(0, 500_000));
  await expect.poll(() => append.mock.calls.length, SOON).toBe(1);
  stream.close(code);
  await expect(append.mock.results[0]?.value).rejects.toThrow(UploadAbortedError);
  await expect.poll(() => abort.mock.settledResults[0]?.type, SOON).toBe('fulfilled');
  expect(await app.dataSource.getRepository(FileUpload).findBy({ endedAt: IsNull() })).toEqual([]);
});
