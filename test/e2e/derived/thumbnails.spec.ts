import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { DerivedFile } from 'nestjs-files/hooks';
import { FilesJobs, outboxJobs } from 'nestjs-files/jobs';
import sharp from 'sharp';
import { IsNull } from 'typeorm';
import { expect, it } from 'vitest';
import { QueuedJob } from '../../../lib/entry/entities.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Injectable()
export class Thumbnails {
  @DerivedFile('thumbnail', { from: ['png', 'jpeg', 'webp', 'gif'], name: () => 'thumbnail.webp' })
  async thumbnail(content: Readable) {
    const image = sharp(await buffer(content), { limitInputPixels: 50_000_000 });
    return image.autoOrient().resize(320, 320, { fit: 'inside', withoutEnlargement: true }).webp().toBuffer();
  }
}

const plain = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'teal' }, limitInputPixels: false });

async function world(platform: (typeof PLATFORMS)[number] = 'express') {
  const app = await startApp({
    platform,
    providers: [Thumbnails],
    options: { jobs: { engine: outboxJobs({ poll: 20 }) } },
  });
  const upload = async (image: Buffer, name: string) =>
    (await uploadFile(app, 'anna', formWith(new Uint8Array(image), name))).id;
  const thumbnail = (id: string) => app.fetch(`/files/${id}/thumbnail`, { user: 'anna' });
  return { ...app, upload, thumbnail };
}

it('runs the example of docs/recipes/thumbnails.md', async () => {
  expect(await examplesNotRun('recipes/thumbnails.md', import.meta.url)).toEqual([]);
});

it.each(PLATFORMS)('makes a small WebP of a large JPEG, turned as its EXIF says, on %s', async (platform) => {
  const app = await world(platform);
  const photo = await plain(1600, 800).jpeg().withMetadata({ orientation: 6 }).toBuffer();
  const id = await app.upload(photo, 'photo.jpg');
  await expect.poll(async () => (await app.thumbnail(id)).status, { timeout: 20_000 }).toBe(200);
  const response = await app.thumbnail(id);
  expect(response.headers.get('content-type')).toBe('image/webp');
  expect(response.headers.get('content-disposition')).toMatch(/^inline; .*thumbnail\.webp/);
  const { width, height, format, exif } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
  expect({ width, height, format, exif }).toEqual({ width: 160, height: 320, format: 'webp', exif: undefined });
});

it('refuses a broken image, and a small file that decodes to a huge one, with 404 and a failed job', async () => {
  const app = await world();
  const jobs = app.dataSource.getRepository(QueuedJob);
  const whole = await plain(300, 300).png().toBuffer();
  const broken = await app.upload(whole.subarray(0, whole.length / 2), 'broken.png');
  const bomb = await app.upload(await plain(8000, 8000).png().toBuffer(), 'bomb.png');
  for (const id of [broken, bomb])
    await expect
      .poll(
        async () => {
          // Nobody waits for the next attempt.
          await jobs.update({ leaseOwner: IsNull() }, { dueAt: new Date() });
          return (await app.thumbnail(id)).status;
        },
        { timeout: 40_000 },
      )
      .toBe(404);
  const errors = async () => {
    const failed = await app.app.get(FilesJobs).failed();
    return new Map(failed.map(({ payload, error }) => [(payload as { fileId: string }).fileId, error]));
  };
  // A job has failed a moment after what stands for its file is there.
  await expect.poll(errors, { timeout: 20_000 }).toEqual(
    new Map([
      [broken, expect.stringContaining('png')],
      [bomb, expect.stringContaining('pixel limit')],
    ]),
  );
});
