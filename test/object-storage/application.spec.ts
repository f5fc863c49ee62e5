import { expect, it } from 'vitest';
import { FilesService } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { FilesSweeper } from 'nestjs-files/maintenance';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { byHeader, formWith, startApp, uploadFile } from '../support/http-app.js';
import { newS3Storage } from '../support/s3-server.js';

it('keeps the files of an application: uploads, parts, copies, links, removals and sweeps', async () => {
  const { storage, inside } = await newS3Storage();
  const app = await startApp({
    options: {
      storages: { default: storage },
      actor: byHeader,
      uploads: 'authenticated',
      links: { secrets: ['a secret that is long enough for links'] },
    },
  });
  const files = app.app.get(FilesService);
  const { id } = await uploadFile(app, 'ada', formWith('0123456789', 'a näme.txt'));
  const { location } = await files.findOrFail(id);
  expect(await inside.content(location)).toBe('0123456789');

  const part = await app.fetch(`/files/${id}/content`, { user: 'ada', headers: { range: 'bytes=2-4' } });
  expect([part.status, await part.text()]).toEqual([206, '234']);

  const { url } = await app.app.get(FilesLinks).temporary(id);
  const lent = await fetch(url ?? 'no address');
  expect([await lent.text(), lent.headers.get('content-type')]).toEqual(['0123456789', 'text/plain']);
  expect(lent.headers.get('content-disposition')).toContain("filename*=UTF-8''a%20n%C3%A4me.txt");

  const copied = await files.copy(id);
  expect(await inside.content(copied.location)).toBe('0123456789');
  for (const one of [id, copied.id]) await files.delete(one);
  await app.app.get(ByteRemovals).idle();
  expect(await app.app.get(FilesSweeper).sweep()).toMatchObject({ failed: 0 });
  expect((await inside.keys()).filter((key) => key !== '.nestjs-files/mark')).toEqual([]);
});

it('redirects downloads to the bucket, which answers with the headers that were asked for', async () => {
  const { storage } = await newS3Storage({
    downloads: 'redirect',
    cacheControl: ({ ownerId }) => (ownerId === 'ada' ? 'private, max-age=60' : 'private, no-store'),
  });
  const app = await startApp({ options: { storages: { default: storage } } });
  const { id } = await uploadFile(app, 'ada', formWith('0123456789', 'a näme.txt'));
  const path = `/files/${id}/content`;
  expect((await app.fetch(path, { user: 'ben', redirect: 'manual' })).status).toBe(404);
  const answer = await app.fetch(path, { user: 'ada', redirect: 'manual' });
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([307, 'private, no-store']);
  const part = await app.fetch(path, { user: 'ada', headers: { range: 'bytes=2-4' } });
  expect([part.status, await part.text()]).toEqual([206, '234']);
  expect(Object.fromEntries(part.headers)).toMatchObject({
    'content-type': 'text/plain; charset=utf-8',
    'content-disposition': expect.stringContaining('attachment; filename') as string,
    'cache-control': 'private, max-age=60, no-transform',
  });
  const known = { 'if-none-match': part.headers.get('etag') ?? '' };
  expect((await app.fetch(path, { user: 'ada', headers: known })).status).toBe(304);
});
