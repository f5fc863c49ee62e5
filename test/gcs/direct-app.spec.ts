import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { FilesService } from 'nestjs-files';
import type { PublicFile } from 'nestjs-files';
import type { SignedPart, UploadState } from 'nestjs-files/uploads';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { FileUpload } from '../../lib/files/uploads/file-upload.entity.js';
import { filesHarness } from '../support/files-harness.js';
import { startApp } from '../support/http-app.js';
import { GCS, namesIn, newBucket } from './server.js';

const ORIGIN = 'https://app.example.org';
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PART = 8 * 1024 * 1024;

async function allowSite(bucket: Awaited<ReturnType<typeof newBucket>>): Promise<void> {
  await bucket.setCorsConfiguration([
    {
      origin: ['https://app.example.org'],
      method: ['PUT'],
      responseHeader: ['content-type', 'x-goog-content-length-range'],
      maxAgeSeconds: 3600,
    },
  ]);
}

/** What a browser does that shows the site. */
async function sendAsBrowser({ url, method, headers }: SignedPart, body: Blob): Promise<Response> {
  const named = [...Object.keys(headers), ...(body.type ? ['content-type'] : [])];
  const asked = { origin: ORIGIN, 'access-control-request-method': method };
  const leave = await fetch(url, {
    method: 'OPTIONS',
    headers: { ...asked, 'access-control-request-headers': named.join(',') },
  });
  expect([leave.status, leave.headers.get('access-control-allow-origin')]).toEqual([200, ORIGIN]);
  const allowed = leave.headers.get('access-control-allow-headers')?.split(',');
  expect(allowed).toEqual(expect.arrayContaining(named));
  return fetch(url, { method, headers: { ...headers, origin: ORIGIN }, body });
}

async function left(bucket: Awaited<ReturnType<typeof newBucket>>): Promise<string[]> {
  return (await namesIn(bucket)).filter((name) => name !== '.nestjs-files/mark');
}

describe.skipIf(!GCS)('an application on Google Cloud Storage', () => {
  it.each([0, 9, 2 * PART + 5])('takes %i bytes that a browser of another origin sends to Google', async (size) => {
    const bucket = await newBucket();
    await allowSite(bucket);
    const app = await startApp({ options: { storages: { default: gcsStorage({ bucket }) } } });
    const api = async <T>(path: string, body?: object, method = 'POST') => {
      const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      return (await (await app.fetch(`/files/uploads${path}`, { user: 'ada', method, ...json })).json()) as T;
    };
    const bytes = randomBytes(size);
    const file = new Blob([bytes], { type: 'video/mp4' });
    const { id } = await api<{ id: string }>('', { name: 'film.mp4', size });
    const { parts, partSize } = await api<UploadState>(`/${id}`, undefined, 'GET');
    const numbers = Array.from({ length: parts }, (_, at) => at + 1);
    const signed = await api<{ parts: SignedPart[] }>(`/${id}/parts`, { numbers });
    for (const part of signed.parts) {
      const body = file.slice((part.number - 1) * partSize, part.number * partSize, file.type);
      expect((await sendAsBrowser(part, body)).status).toBe(200);
    }
    expect(await api<UploadState>(`/${id}`, undefined, 'GET')).toMatchObject({ uploaded: numbers });
    expect(await api<PublicFile>(`/${id}/complete`)).toMatchObject({ id, size, ownerId: 'ada' });
    expect((await buffer(await app.app.get(FilesService).stream(id))).equals(bytes)).toBe(true);

    for (const part of signed.parts) await sendAsBrowser(part, new Blob([randomBytes(part.size)]));
    expect((await buffer(await app.app.get(FilesService).stream(id))).equals(bytes)).toBe(true);
    expect(await api<PublicFile>(`/${id}/complete`)).toMatchObject({ id, size });
  });

  it('removes what was sent of an upload that expired, and what is sent after that', async () => {
    const bucket = await newBucket();
    const harness = await filesHarness({ gcs: gcsStorage({ bucket }) });
    const { uploads, sweeper, clock, dataSource } = harness;
    const { id } = await uploads.begin({ name: 'a', size: PART + 5, storage: 'gcs' });
    const [first, second] = await uploads.signParts(id, [1, 2]);
    const put = async (part: SignedPart | undefined, size: number) =>
      (await fetch(part?.url ?? '', { method: 'PUT', headers: { ...part?.headers }, body: randomBytes(size) })).status;
    expect(await put(first, PART)).toBe(200);
    expect(await uploads.find(id)).toMatchObject({ uploaded: [1] });
    await expect(uploads.complete(id)).rejects.toMatchObject({ code: 'FILES_UPLOAD_INCOMPLETE', missing: [2] });
    expect(await left(bucket)).toHaveLength(1);
    clock.now += DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, finished: 1, failed: 0 });
    expect(await left(bucket)).toEqual([]);

    expect(await put(second, 5)).toBe(200);
    expect(await left(bucket)).toHaveLength(1);
    clock.now += DAY;
    expect(await sweeper.sweep()).toMatchObject({ examined: 1, failed: 0 });
    expect([await left(bucket), await dataSource.getRepository(FileUpload).count()]).toEqual([[], 0]);
  });

  it('spares the parts of an upload that is open, and keeps the file of one that is complete', async () => {
    const bucket = await newBucket();
    const { uploads, sweeper, clock, files } = await filesHarness({ gcs: gcsStorage({ bucket }) });
    const sent = async (): Promise<string> => {
      const begun = await uploads.begin({ name: 'a', size: 5, storage: 'gcs' });
      if ('url' in begun) await fetch(begun.url, { method: 'PUT', headers: { ...begun.headers }, body: '12345' });
      return begun.id;
    };
    const [open, done] = [await sent(), await sent()];
    await uploads.complete(done);
    clock.now += DAY - HOUR;
    await sweeper.sweep();
    expect(await uploads.find(open)).toMatchObject({ uploaded: [1] });
    const file = await uploads.complete(open);
    clock.now += 3 * DAY;
    expect(await sweeper.sweep()).toMatchObject({ kept: 2, failed: 0 });
    const kept = await Promise.all([open, done].map((id) => files.findOrFail(id)));
    expect(kept).toContainEqual(file);
    expect((await left(bucket)).toSorted()).toEqual(kept.map(({ location }) => location).toSorted());
  });

  it('removes what was sent where the content is refused, or the upload given up', async () => {
    const bucket = await newBucket();
    const storage = gcsStorage({ bucket, acceptedTypes: ['image'] });
    const { uploads } = await filesHarness({ gcs: storage });
    for (const end of ['complete', 'abort'] as const) {
      const begun = await uploads.begin({ name: 'a', size: 5, storage: 'gcs' });
      if ('url' in begun) await fetch(begun.url, { method: 'PUT', headers: { ...begun.headers }, body: '12345' });
      const ending = uploads[end](begun.id);
      if (end === 'abort') await ending;
      else await expect(ending).rejects.toMatchObject({ code: 'FILES_FILE_TYPE_NOT_ACCEPTED' });
      expect(await left(bucket)).toEqual([]);
    }
  });
});
