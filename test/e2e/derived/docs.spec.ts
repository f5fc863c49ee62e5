import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import { FilesService } from 'nestjs-files';
import { DerivedFile, DerivedFiles } from 'nestjs-files/hooks';
import type { DerivationContext } from 'nestjs-files/hooks';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

@Injectable()
export class Excerpts {
  @DerivedFile('excerpt', { from: 'text/*' })
  async excerpt(content: Readable, { original, signal }: DerivationContext) {
    if (original.size < 100) return null; // there is no excerpt of a short text
    for await (const chunk of content) {
      signal.throwIfAborted();
      return (chunk as Buffer).subarray(0, 80);
    }
    return null;
  }
}

it('runs every example of docs/derived-files.md', async () => {
  expect(await examplesNotRun('derived-files.md', import.meta.url)).toEqual([]);
});

it('answers the excerpt of the page at its address, and none of a short text', async () => {
  const app = await startApp({ providers: [Excerpts] });
  const { id } = await uploadFile(app, 'anna', formWith('0123456789'.repeat(20)));
  const short = await uploadFile(app, 'anna', formWith('short'));
  const excerptOf = (file: string) => app.fetch(`/files/${file}/excerpt`, { user: 'anna' });
  await expect.poll(async () => (await excerptOf(id)).status).toBe(200);
  expect(await (await excerptOf(id)).text()).toBe('0123456789'.repeat(8));
  await expect.poll(async () => (await excerptOf(short.id)).status).toBe(404);

  const derived = app.app.get(DerivedFiles);
  const files = app.app.get(FilesService);
  const file = await files.findOrFail(id);

  const found = await derived.find(file, 'excerpt'); // a ManagedFile, or undefined
  await derived.remake(file, 'excerpt'); // after a failure, or after a change of the method

  expect(await text(await files.stream(found!))).toHaveLength(80);
  await expect.poll(async () => (await derived.find(file, 'excerpt'))?.id).not.toBe(found!.id);
});
