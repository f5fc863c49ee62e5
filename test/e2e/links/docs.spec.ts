import { expect, it, vi } from 'vitest';
import { FilesModule, FilesService } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';

async function start() {
  const here = process.cwd();
  process.chdir(newDirectory());
  try {
    return await startApp({
      module: FilesModule.forRoot({
        storages: { default: fsStorage({ root: 'var/files' }) },
        links: { secrets: [process.env['LINKS_SECRET'] ?? ''] },
      }),
    });
  } finally {
    process.chdir(here);
  }
}

it('runs every example of docs/links.md', async () => {
  expect(await examplesNotRun('links.md', import.meta.url)).toEqual([]);
});

it('does what docs/links.md says', async () => {
  await expect(start()).rejects.toThrow('FilesModule option "links.secrets[0]"');
  vi.stubEnv('LINKS_SECRET', 'what openssl rand -base64 32 prints');
  const app = await start();
  vi.unstubAllEnvs();
  const links = app.app.get(FilesLinks);
  const file = await app.app.get(FilesService).create(Buffer.from('hello'), { name: 'hello.txt' });
  const { url } = await links.temporary(file.id, { expiresIn: 600, purpose: 'inline' });
  const once = await links.oneTime(file.id, { expiresIn: 86_400, actor: { type: 'user', id: 'ben' } });
  expect(await (await app.fetch(String(url))).text()).toBe('hello');
  const [token, actor] = [String(once.token), { type: 'user', id: 'ben' }];
  const { file: opened, purpose } = await links.open(token, actor);
  expect([opened.id, purpose]).toEqual([file.id, 'download']);
  await expect(links.open(token, actor)).rejects.toMatchObject({ code: 'FILES_LINK_USED' });
});
