import { FilesService } from 'nestjs-files';
import { describe, expect, it } from 'vitest';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { filesHarness } from '../../support/files-harness.js';

const shown = (app: HttpApp, path: string, user = 'anna') => app.fetch(path, { user }).then((it) => it.json());

describe('the metadata of a file', () => {
  it('is written whole, by a function of what is there, and removed', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(Buffer.from('x'), { name: 'x.txt' });
    expect((await files.update(id, { metadata: { a: 1 } })).metadata).toEqual({ a: 1 });
    await files.update(id, { metadata: (current) => ({ ...current, b: [{ c: '🗂️' }] }) });
    expect(await files.findOrFail(id)).toMatchObject({ name: 'x.txt', metadata: { a: 1, b: [{ c: '🗂️' }] } });
    await files.update(id, { name: 'y.txt' });
    expect(await files.findOrFail(id)).toMatchObject({ name: 'y.txt', metadata: { a: 1 } });
    await files.update(id, { metadata: null });
    expect((await files.findOrFail(id)).metadata).toBeNull();
  });

  it('loses none of several changes at once', async () => {
    const { files } = await filesHarness();
    const { id } = await files.create(Buffer.from('x'), { name: 'x.txt' });
    const keys = Array.from({ length: 8 }, (_, at) => `k${at}`);
    await Promise.all(keys.map((key) => files.update(id, { metadata: (current) => ({ ...current, [key]: true }) })));
    expect(Object.keys((await files.findOrFail(id)).metadata ?? {}).toSorted()).toEqual(keys);
  });

  it.each([
    ['a list', [1], 'metadata of a file is not a plain object'],
    ['an object of a class', new Map(), 'metadata of a file is not a plain object'],
    ['a date', { at: new Date(0) }, 'metadata.at of a file is of the class Date'],
    ['too much', { text: 'x'.repeat(70_000) }, 'metadata of a file has 70011 bytes of JSON'],
  ])('refuses %s, and changes nothing', async (_what, metadata, message) => {
    const { files } = await filesHarness();
    const { id } = await files.create(Buffer.from('x'), { name: 'x.txt' });
    const wrong = metadata as unknown as Record<string, unknown>;
    for (const given of [wrong, () => wrong]) {
      const refused = files.update(id, { name: 'y.txt', metadata: given });
      await expect(refused).rejects.toMatchObject({ code: 'FILES_FILE_METADATA_INVALID' });
      await expect(refused).rejects.toThrow(message);
    }
    expect(await files.findOrFail(id)).toMatchObject({ name: 'x.txt', metadata: null });
  });

  it('is not shown to clients, and only managers search by it', async () => {
    const app = await startApp();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    await app.app.get(FilesService).update(id, { metadata: { secret: 'yes' } });
    expect(await shown(app, `/files/${id}`)).not.toHaveProperty('metadata');
    expect(JSON.stringify(await shown(app, '/files'))).not.toContain('secret');
    const search = `/files?filters=${encodeURIComponent('{"metadata.secret":"yes"}')}`;
    expect(await shown(app, search)).toMatchObject({ code: 'FILES_SEARCH_QUERY_INVALID' });
    expect(await shown(app, search, 'admin')).toMatchObject({ count: 1 });
  });

  it('is shown as the application says, by every route that answers files', async () => {
    const app = await startApp({ options: { http: { metadata: ({ metadata }) => ({ alt: metadata?.['alt'] }) } } });
    const { id, metadata } = await uploadFile(app, 'anna', formWith('hello'));
    expect(metadata).toEqual({});
    await app.app.get(FilesService).update(id, { metadata: { alt: 'A hare', secret: 'yes' } });
    const told = { metadata: { alt: 'A hare' } };
    expect(await shown(app, `/files/${id}`)).toMatchObject(told);
    expect(await shown(app, '/files')).toMatchObject({ results: [told] });
    const renamed = await app.fetch(`/files/${id}`, {
      method: 'PATCH',
      user: 'anna',
      body: JSON.stringify({ name: 'b.txt' }),
      headers: { 'content-type': 'application/json' },
    });
    expect(await renamed.json()).toMatchObject({ name: 'b.txt', ...told });
  });

  it('is refused at boot as an option that is no function', async () => {
    const http = { metadata: ['alt'] as never };
    await expect(startApp({ options: { http } })).rejects.toMatchObject({ code: 'FILES_OPTION_INVALID' });
    await expect(startApp({ options: { onStored: 'x' as never } })).rejects.toMatchObject({
      code: 'FILES_OPTION_INVALID',
    });
  });
});
