import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { FileJob, FilesModule, FilesService, ManagedFile, TaskQueue } from 'nestjs-files';
import type { JobContext } from 'nestjs-files';
import { FileRefusedError } from 'nestjs-files/errors';
import { OnFileStored } from 'nestjs-files/hooks';
import type { StoringContext } from 'nestjs-files/hooks';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { png } from '../../support/files-samples.js';
import { startApp } from '../../support/http-app.js';

@Injectable()
class CaptionWriter {
  async describe(content: Readable, _options: { signal: AbortSignal }): Promise<string> {
    return `an image of ${(await text(content)).length} characters`;
  }
}

@Injectable()
export class Captions {
  constructor(
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
    private readonly writer: CaptionWriter,
  ) {}

  @OnFileStored()
  onStored(file: ManagedFile, { operation }: StoringContext) {
    if (!file.contentType.startsWith('image/')) return;
    if (operation === 'direct' && file.size < 100) throw new FileRefusedError('An image has at least 100 bytes.');
    this.queue.enqueue('caption', { fileId: file.id });
  }

  @FileJob('caption', { unit: false })
  async caption({ fileId }: { fileId: string }, { signal }: JobContext) {
    const alt = await this.writer.describe(await this.files.stream(fileId), { signal });
    await this.files.update(fileId, { metadata: (current) => ({ ...current, alt }) });
  }
}

const storages = { default: memoryStorage() };
const TYPES = new URL('../../package/consumer/typed-owners/owners.mts', import.meta.url);

it('runs every example of docs/stored-files.md', async () => {
  expect(await examplesNotRun('stored-files.md', import.meta.url, TYPES.href)).toEqual([]);
});

it('captions images with the hook and the job of the page', async () => {
  const { app } = await startApp({ providers: [CaptionWriter, Captions] });
  const files = app.get(FilesService);
  const { id } = await files.create(Buffer.from(png), { name: 'hare.png' });
  await files.create(Buffer.from('text'), { name: 'notes.txt' });
  await expect
    .poll(async () => (await files.findOrFail(id)).metadata)
    .toEqual({ alt: expect.stringContaining('an image of') as string });
});

it('writes and finds metadata, and shows the part of the page', async () => {
  const module = FilesModule.forRoot({
    storages,
    http: { metadata: ({ metadata }) => ({ alt: metadata?.['alt'] ?? null }) },
  });
  const app = await startApp({ module });
  const files = app.app.get(FilesService);
  const { id } = await files.create(Buffer.from('a'), { name: 'a.txt', owner: null });

  await files.update(id, { metadata: { alt: 'A hare', tags: ['animals'] } });
  await files.update(id, { name: 'hare.png', metadata: (current) => ({ ...current, checked: true }) });
  const { results } = await files.search({ filters: { 'metadata.checked': true } });

  expect(results).toMatchObject([{ name: 'hare.png', metadata: { alt: 'A hare', tags: ['animals'], checked: true } }]);
});
