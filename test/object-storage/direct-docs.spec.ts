import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { PutBucketCorsCommand } from '@aws-sdk/client-s3';
import type { CORSConfiguration } from '@aws-sdk/client-s3';
import { Injectable } from '@nestjs/common';
import { beforeAll, expect, it } from 'vitest';
import { FilesAccess, FilesModule, FilesService } from 'nestjs-files';
import { DirectUploads } from 'nestjs-files/uploads';
import type { Actor, ManagedFile, PublicFile } from 'nestjs-files';
import type { BegunUpload, SignedPart, UploadState } from 'nestjs-files/uploads';
import { s3Storage } from 'nestjs-files/storage/s3';
import { examplesNotRun } from '../support/doc-examples.js';
import { blocksOf, shellBlocks } from '../support/doc-pages.js';
import { byHeader, startApp } from '../support/http-app.js';
import type { HttpApp } from '../support/http-app.js';
import { newS3Storage, s3Config, theBucket } from '../support/s3-server.js';

const client = s3Config();
const ORIGIN = 'https://app.example.org';
const MIB = 1024 ** 2;

let bucket = '';
beforeAll(async () => {
  const there = await theBucket();
  bucket = there.bucket;
  const rules = JSON.parse(blocksOf('direct-uploads.md').find(({ language }) => language === 'json')?.text ?? '');
  await there.client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: rules as CORSConfiguration }));
});

const module = () =>
  FilesModule.forRoot({
    storages: { default: s3Storage({ client, bucket, maxSize: '50GiB', partSize: '16MiB' }) },
    uploads: 'authenticated',
    directUploads: { expireAfter: 86_400_000, urlsExpireAfter: 3_600_000 }, // the defaults: a day and an hour
  });

@Injectable()
export class Films {
  constructor(
    private readonly uploads: DirectUploads,
    private readonly access: FilesAccess,
  ) {}

  async begin(title: string, size: number, actor: Actor): Promise<BegunUpload> {
    await this.access.assertCanUpload(actor, 'default');
    return this.uploads.begin({ name: `${title}.mp4`, size, actor });
  }

  async complete(id: string, actor: Actor): Promise<ManagedFile> {
    return this.uploads.complete(id, { actor }); // then transfer it, or name it in a record
  }
}

let site: HttpApp;

/** As a browser that shows the site has it: the storage is elsewhere, and asked whether the site may. */
async function fetch(url: string, init: RequestInit): Promise<Response> {
  if (url.startsWith('/')) return site.fetch(url, { user: 'ada', ...init });
  const { 'content-type': type = (init.body as Blob).type, ...others } = init.headers as Record<string, string>;
  expect(others).toEqual({});
  const asked = { origin: ORIGIN, 'access-control-request-method': 'PUT' };
  const headers = type === '' ? asked : { ...asked, 'access-control-request-headers': 'content-type' };
  const leave = await globalThis.fetch(url, { method: 'OPTIONS', headers });
  expect([leave.status, leave.headers.get('access-control-allow-origin')]).toEqual([200, ORIGIN]);
  const answer = await globalThis.fetch(url, { ...init, headers: { ...init.headers, origin: ORIGIN } });
  expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  return answer;
}

const api = async <T>(path: string, body?: object, method = 'POST'): Promise<T> => {
  const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`/files/uploads${path}`, { method, ...json });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as T;
};

export async function begin({ name, size, type }: File): Promise<string> {
  const { id } = await api<{ id: string }>('', { name, size, contentType: type || undefined });
  return id;
}

export async function send(id: string, file: Blob): Promise<PublicFile> {
  const { parts, partSize, uploaded } = await api<UploadState>(`/${id}`, undefined, 'GET');
  const missing = Array.from({ length: parts }, (_, at) => at + 1).filter((number) => !uploaded.includes(number));
  for (let at = 0; at < missing.length; at += 10) {
    const signed = await api<{ parts: SignedPart[] }>(`/${id}/parts`, { numbers: missing.slice(at, at + 10) });
    for (const { number, method, url, headers } of signed.parts) {
      const part = file.slice((number - 1) * partSize, number * partSize);
      const { ok, status } = await fetch(url, { method, headers: { ...headers }, body: part });
      if (!ok) throw new Error(`The storage answered ${status} to part ${number}`);
    }
  }
  return api<PublicFile>(`/${id}/complete`);
}

it('runs every example of docs/direct-uploads.md', async () => {
  expect(await examplesNotRun('direct-uploads.md', import.meta.url)).toEqual([]);
});

it('sends a file from a browser of another origin, and goes on where it was cut off', async () => {
  const { storage, inside } = await newS3Storage({ partSize: '5MiB' });
  site = await startApp({ options: { storages: { default: storage } } });
  const bytes = randomBytes(12 * MIB);
  const file = new File([bytes], 'film.bin');
  const id = await begin(file);
  const [first] = (await api<{ parts: SignedPart[] }>(`/${id}/parts`, { numbers: [2] })).parts;
  await fetch(first?.url ?? '', { method: 'PUT', headers: {}, body: file.slice(5 * MIB, 10 * MIB) });
  expect(await send(id, file)).toMatchObject({ id, name: 'film.bin', size: bytes.length, ownerId: 'ada' });
  expect((await buffer(await site.app.get(FilesService).stream(id))).equals(bytes)).toBe(true);
  expect(await send(id, file)).toMatchObject({ id });
  expect(await inside.uploads()).toEqual([]);

  const text = new File(['a,b\n'], 'a.csv', { type: 'text/csv' });
  expect(await send(await begin(text), text)).toMatchObject({ contentType: 'text/csv' });
});

it('sends a file by the shell as docs/direct-uploads.md says', async () => {
  const { storage } = await newS3Storage();
  const { url } = await startApp({ options: { storages: { default: storage } } });
  const [block = ''] = shellBlocks('direct-uploads.md');
  const { stdout } = await promisify(execFile)('bash', ['-euc', `url=${url}\n${block}`]);
  expect(JSON.parse(stdout)).toMatchObject({ name: 'report.pdf', size: 9, contentType: 'application/pdf' });
});

it('gives the application’s own code DirectUploads as docs/direct-uploads.md says', async () => {
  const { storage } = await newS3Storage();
  const { app } = await startApp({
    options: { storages: { default: storage }, actor: byHeader },
    providers: [Films],
  });
  const [films, ada, ben] = [app.get(Films), { type: 'user', id: 'ada' }, { type: 'user', id: 'ben' }];
  const begun = await films.begin('a film', 5, ada);
  await globalThis.fetch('url' in begun ? begun.url : '', { method: 'PUT', body: '12345' });
  await expect(films.complete(begun.id, ben)).rejects.toMatchObject({ code: 'FILES_UPLOAD_NOT_FOUND' });
  expect(await films.complete(begun.id, ada)).toMatchObject({ name: 'a film.mp4', size: 5 });
  expect(() => module()).not.toThrow();
});
