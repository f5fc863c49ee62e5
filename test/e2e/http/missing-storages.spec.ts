import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FilesService } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

const secrets = ['a secret of tests that is 32 bytes long'];

afterEach(() => vi.restoreAllMocks());

describe.each(PLATFORMS)('a file whose storage is not configured any more, on %s', (platform) => {
  const start = async () => {
    const log = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const app = await startApp({ platform, options: { links: { secrets } } });
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const { token } = await app.app.get(FilesLinks).temporary(id);
    await app.dataSource.getRepository(ManagedFile).update(id, { storage: 'archive' });
    return { app, id, token, log, files: app.app.get(FilesService) };
  };

  it.each([
    ['downloaded', 'GET', '/:id/content'],
    ['looked at', 'HEAD', '/:id/content'],
    ['downloaded by a link', 'GET', '/links/:token'],
    ['replaced', 'PUT', '/:id/content'],
    ['deleted', 'DELETE', '/:id'],
  ])('answers 500 when it is %s, and the log says how to repair it', async (_, method, path) => {
    const { app, id, token = '', log } = await start();
    const url = `/files${path.replace(':id', id).replace(':token', token)}`;
    const content = { body: 'world', headers: { 'content-type': 'application/octet-stream' } };
    const response = await app.fetch(url, { method, user: 'anna', ...(method === 'PUT' && content) });
    expect(response.status).toBe(500);
    const answer = await response.text();
    if (method !== 'HEAD')
      expect(JSON.parse(answer)).toMatchObject({
        code: 'FILES_FILE_STORAGE_MISSING',
        message: 'Internal Server Error',
      });
    const [error] = log.mock.calls.flat() as [Error];
    expect(error.message).toContain('storage "archive", which is not configured. Configured storages: default.');
    expect(error.message).toContain('Add it to the option `storages`');
    expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(1);
  });

  it('can still be described and renamed', async () => {
    const { app, id, files } = await start();
    expect((await app.fetch(`/files/${id}`, { user: 'anna' })).status).toBe(200);
    expect(await files.rename(id, 'b.txt')).toMatchObject({ name: 'b.txt' });
  });

  it('can neither be copied nor moved', async () => {
    const { id, files } = await start();
    const missing = { code: 'FILES_FILE_STORAGE_MISSING' };
    await expect(files.copy(id)).rejects.toMatchObject(missing);
    await expect(files.copy(id, { storage: 'default' })).rejects.toMatchObject(missing);
    await expect(files.move(id, 'default')).rejects.toMatchObject(missing);
    await expect(files.move(id, 'nowhere')).rejects.toMatchObject({ code: 'FILES_STORAGE_UNKNOWN' });
  });

  it('differs from an unknown storage that a client names', async () => {
    const { app } = await start();
    const form = formWith('hello', 'a.txt', { storage: 'archive' });
    const response = await app.fetch('/files', { method: 'POST', user: 'admin', body: form });
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'FILES_STORAGE_UNKNOWN' }]);
  });
});
