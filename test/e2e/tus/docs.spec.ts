import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { Upload } from 'tus-js-client';
import type { UploadOptions } from 'tus-js-client';
import { examplesNotRun } from '../../support/doc-examples.js';
import { startTus } from '../../support/tus-app.js';

/** Sends the file, and gives its id, which a DTO can name at once. */
export function send(file: File, options: UploadOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      metadata: { filename: file.name, filetype: file.type },
      onError: reject,
      onSuccess: () => resolve(upload.url?.split('/').at(-1) ?? ''),
      ...options, // endpoint: '/files/tus', and the headers that your guards want
    });
    const start = async () => {
      const [previous] = await upload.findPreviousUploads();
      if (previous) upload.resumeFromPreviousUpload(previous); // after a reload of the page
      upload.start();
    };
    start().catch(reject);
  });
}

it('runs every example of docs/resumable-uploads.md', async () => {
  expect(await examplesNotRun('resumable-uploads.md', import.meta.url)).toEqual([]);
});

it('sends a file as docs/resumable-uploads.md says, and gives the id of the file', async () => {
  const { url, read, content } = await startTus('express');
  const bytes = randomBytes(100_000);
  // In Node, tus-js-client takes buffers for files.
  const file = Object.assign(Buffer.from(bytes), { name: 'film.bin', type: 'video/mp4' }) as unknown as File;
  const id = await send(file, { endpoint: `${url}/files/tus`, headers: { 'x-user': 'ada' } });
  expect((await read(id)).body).toMatchObject({ id, name: 'film.bin', size: 100_000, ownerId: 'ada' });
  expect((await content(id)).equals(bytes)).toBe(true);
});
