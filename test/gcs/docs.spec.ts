import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Storage } from '@google-cloud/storage';
import { FilesModule, FilesService } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { gcsStorage } from 'nestjs-files/storage/gcs';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../support/doc-examples.js';
import { newDirectory } from '../support/files-directory.js';
import { startApp } from '../support/http-app.js';
import { GCS, namesIn, newBucket } from './server.js';

function connect() {
  const bucket = new Storage().bucket('files');
  return bucket;
}

const module = (bucket: ReturnType<typeof connect>) =>
  FilesModule.forRoot({
    storages: { default: gcsStorage({ bucket, prefix: 'app/', maxSize: '1GiB' }) },
  });

function withoutKey(bucket: ReturnType<typeof connect>) {
  const storage = gcsStorage({ bucket, disable: ['temporaryUrl', 'directUploads'] });
  return storage;
}

it('runs every example of docs/gcs.md', async () => {
  const app = new URL('direct-app.spec.ts', import.meta.url).href;
  expect(await examplesNotRun('gcs.md', import.meta.url, app)).toEqual([]);
});

it('has no addresses of its own where they are disabled, as docs/gcs.md says', () => {
  const storage = withoutKey(connect());
  expect([storage.can('temporaryUrl'), storage.can('directUploads'), storage.can('write')]).toEqual([
    false,
    false,
    true,
  ]);
});

it.skipIf(!GCS)('keeps files of an application as docs/gcs.md says', async () => {
  const bucket = await newBucket();
  const database = { type: 'better-sqlite3', database: join(newDirectory(), 'files.sqlite') } as const;
  const { app } = await startApp({ database, module: module(bucket) });
  const files = app.get(FilesService);

  const { id, location } = await files.create(Buffer.from('in a bucket'), { name: 'ä.txt' });
  const { url } = await app.get(FilesLinks).temporary(id);
  const lent = await fetch(url ?? '');

  expect(await namesIn(bucket)).toEqual(['app/.nestjs-files/mark', `app/${location}`]);
  expect(await text(await files.stream(id, { start: 3, end: 5 }))).toBe('a b');
  expect([await lent.text(), lent.headers.get('content-type')]).toEqual(['in a bucket', 'text/plain']);
  await files.delete(id);
  await expect.poll(() => namesIn(bucket)).toEqual(['app/.nestjs-files/mark']);
});
