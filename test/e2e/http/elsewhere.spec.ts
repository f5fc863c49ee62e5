import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { chmod, readFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FilesModule } from '../../../lib/index.js';
import { FilesLinks } from '../../../lib/entry/links.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import type { StorageLimits } from '../../../lib/entry/storage.js';
import { Storage } from '../../../lib/storage/storage.js';
import { apacheBefore, hasApache } from '../../support/apache.js';
import { blocksOf } from '../../support/doc-pages.js';
import { filesBelow, newDirectory } from '../../support/files-directory.js';
import { PLATFORMS, byHeader, formWith, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp, Platform } from '../../support/http-app.js';
import { hasNginx, nginxBefore } from '../../support/nginx.js';
import { storageWith } from '../../support/storage-with.js';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** A place that serves bytes at addresses which say how, as object storage does. */
async function bucket(limits: StorageLimits = {}): Promise<Storage> {
  const memory = storageWith({});
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://bucket');
    if (Date.now() > Number(searchParams.get('until'))) return void response.writeHead(403).end();
    for (const name of ['content-type', 'content-disposition', 'cache-control'])
      response.setHeader(name, searchParams.get(name) ?? '');
    void memory
      .read(decodeURIComponent(pathname.slice(1)))
      .then(buffer)
      .then((bytes) => response.end(bytes));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  const temporaryUrl: NonNullable<Parameters<typeof storageWith>[0]['temporaryUrl']> = async (location, request) => {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${encodeURIComponent(location)}`);
    url.searchParams.set('until', String(request.expiresAt.getTime()));
    url.searchParams.set('content-type', request.contentType);
    url.searchParams.set('content-disposition', request.disposition);
    url.searchParams.set('cache-control', request.cacheControl ?? '');
    return url.href;
  };
  return new Storage(
    {
      write: (location, content) => memory.write(location, content),
      read: (location, range) => memory.read(location, range),
      remove: (location) => memory.remove(location),
      temporaryUrl,
    },
    limits,
  );
}

describe.each(PLATFORMS)('A download that is redirected to its storage on %s', (platform: Platform) => {
  const start = async (limits: StorageLimits = {}): Promise<HttpApp> =>
    startApp({
      platform,
      module: FilesModule.forRoot({
        storages: { default: await bucket({ downloads: 'redirect', ...limits }) },
        actor: byHeader,
        uploads: 'authenticated',
        links: { secrets: ['a secret of at least thirty-two characters'] },
      }),
    });
  const get = (app: HttpApp, path: string, headers: Record<string, string> = {}, method = 'GET', user = 'anna') =>
    app.fetch(path, { user, headers, method, redirect: 'manual' });

  it('leads there by an address that is in no cache, and the bytes come with their type', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello', 'notes.txt'));
    const answer = await get(app, `/files/${id}/content`);
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([307, 'private, no-store']);
    const bytes = await fetch(answer.headers.get('location') ?? '');
    expect(await bytes.text()).toBe('hello');
    expect(Object.fromEntries(bytes.headers)).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': 'attachment',
      'cache-control': 'private, no-cache, no-transform',
    });
  });

  it('shows images, and nothing that a browser could take for a page', async () => {
    const app = await start();
    const image = await uploadFile(app, 'anna', formWith(new Uint8Array(PNG), 'dot.png'));
    const dispositionOf = async (path: string) =>
      (await fetch((await get(app, path)).headers.get('location') ?? '')).headers.get('content-disposition');
    expect(await dispositionOf(`/files/${image.id}/content`)).toBe('inline');
    const { url } = await app.app.get(FilesLinks).oneTime(image.id, { purpose: 'download' });
    expect(await dispositionOf(new URL(url!, app.url).pathname)).toBe('attachment');
  });

  it('checks access before, and gives nobody else an address', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const answer = await get(app, `/files/${id}/content`, {}, 'GET', 'bert');
    expect([answer.status, answer.headers.get('location')]).toEqual([404, null]);
  });

  it('answers HEAD, conditions that spare the content, and impossible ranges itself', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const path = `/files/${id}/content`;
    const head = await get(app, path, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5']);
    const etag = head.headers.get('etag') ?? '';
    expect((await get(app, path, { 'if-none-match': etag })).status).toBe(304);
    expect((await get(app, path, { 'if-match': '"other"' }, 'HEAD')).status).toBe(412);
    expect((await get(app, path, { range: 'bytes=5-' })).status).toBe(416);
    expect((await get(app, path, { range: 'bytes=1-2', 'if-match': etag })).status).toBe(307);
  });

  it('leads there also a client that goes on with the validators of the storage', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const all: Record<string, string>[] = [
      { 'if-match': '"of the bucket"' },
      { 'if-unmodified-since': new Date(0).toUTCString() },
      { 'if-match': '"of the bucket"', 'if-none-match': '"of the bucket"' },
    ];
    for (const conditions of all)
      expect((await get(app, `/files/${id}/content`, { range: 'bytes=1-', ...conditions })).status).toBe(307);
  });

  it('uses up a link for one use', async () => {
    const app = await start();
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const { url } = await app.app.get(FilesLinks).oneTime(id);
    const path = new URL(url!, app.url).pathname;
    const first = await get(app, path);
    expect([first.status, await (await fetch(first.headers.get('location') ?? '')).text()]).toEqual([307, 'hello']);
    expect((await get(app, path)).status).toBe(410);
  });

  it('says how long the bytes may be kept, by their owner', async () => {
    const app = await start({
      cacheControl: ({ ownerType, ownerId }) =>
        ownerType === 'user' && ownerId === 'anna' ? 'public, max-age=60' : 'private, no-store, no-transform',
    });
    const cached = async (user: string) => {
      const { id } = await uploadFile(app, user, formWith('hello'));
      const head = await get(app, `/files/${id}/content`, {}, 'HEAD', user);
      return head.headers.get('cache-control');
    };
    expect(await cached('anna')).toBe('public, max-age=60, no-transform');
    expect(await cached('bert')).toBe('private, no-store, no-transform');
  });
});

/** The answer has the headers of a download, as the application gives them to HEAD. */
async function expectHeadersOf(app: HttpApp, path: string, answer: Response): Promise<void> {
  const direct = await app.fetch(path, { user: 'anna', method: 'HEAD' });
  for (const name of HEADERS) expect([name, answer.headers.get(name)]).toEqual([name, direct.headers.get(name)]);
}

/** Headers by which a client goes on only with the content of this answer. */
const conditionsMetBy = ({ headers }: Response): Record<string, string>[] => [
  { 'if-match': headers.get('etag') ?? '' },
  { 'if-match': '*' },
  { 'if-unmodified-since': headers.get('last-modified') ?? '' },
];

const HEADERS = [
  'etag',
  'last-modified',
  'content-type',
  'content-disposition',
  'cache-control',
  'x-content-type-options',
  'content-security-policy',
  'cross-origin-resource-policy',
];

describe.each(PLATFORMS)('A download that the web server in front sends, on %s', (platform: Platform) => {
  // What others than the application's user may read.
  const modes = { file: 0o644, directory: 0o755 };
  const start = (root: string, downloads: StorageLimits['downloads']): Promise<HttpApp> =>
    startApp({
      platform,
      module: FilesModule.forRoot({
        storages: {
          default: fsStorage({
            root,
            modes,
            downloads: downloads ?? 'proxy',
            location: ({ uuid }) => `a b/ü#%41${uuid}`,
          }),
        },
        actor: byHeader,
        uploads: 'authenticated',
      }),
    });

  it('passes its path to the web server (x-sendfile)', async () => {
    const app = await start(newDirectory(), 'x-sendfile');
    const { id } = await uploadFile(app, 'anna', formWith('hello'));
    const answer = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8']);
    const path = Buffer.from(answer.headers.get('x-sendfile') ?? '', 'latin1').toString();
    expect(await readFile(path, 'utf8')).toBe('hello');
  });

  it.runIf(hasApache())('comes from Apache, with ranges, conditions and headers', async () => {
    const root = newDirectory();
    await chmod(root, modes.directory);
    const app = await start(root, 'x-sendfile');
    const url = await apacheBefore(app.port, root);
    const { id } = await uploadFile(app, 'anna', formWith('hello world'));
    const path = `/files/${id}/content`;
    const get = (headers: Record<string, string> = {}) =>
      fetch(new URL(path, url), { headers: { 'x-user': 'anna', ...headers } });
    const whole = await get();
    expect([whole.status, await whole.text()]).toEqual([200, 'hello world']);
    await expectHeadersOf(app, path, whole);
    const etag = whole.headers.get('etag') ?? '';
    const part = await get({ range: 'bytes=6-', 'if-range': etag });
    expect([part.status, await part.text()]).toEqual([206, 'world']);
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
    for (const met of conditionsMetBy(whole)) {
      const answer = await get({ range: 'bytes=6-', ...met });
      expect([met, answer.status, await answer.text()]).toEqual([met, 206, 'world']);
    }
    expect((await get({ 'x-user': 'bert' })).status).toBe(404);
  });

  it.runIf(hasNginx())('comes from nginx, with ranges, conditions and headers, and from there alone', async () => {
    const root = newDirectory();
    const app = await start(root, { xAccel: '/files-inside' });
    const { text: config } = blocksOf('http.md').find(({ language }) => language === 'nginx')!;
    const url = await nginxBefore(app.port, [], config.replaceAll('/var/files', root));
    const { id } = await uploadFile(app, 'anna', formWith('hello world'));
    const get = (headers: Record<string, string> = {}, path = `/files/${id}/content`, user = 'anna') =>
      fetch(new URL(path, url), { headers: { 'x-user': user, ...headers } });
    const whole = await get();
    expect([whole.status, await whole.text()]).toEqual([200, 'hello world']);
    await expectHeadersOf(app, `/files/${id}/content`, whole);
    const etag = whole.headers.get('etag') ?? '';
    const part = await get({ range: 'bytes=6-', 'if-range': etag });
    expect([part.status, await part.text()]).toEqual([206, 'world']);
    expect((await get({ range: 'bytes=6-', 'if-range': '"other"' })).status).toBe(200);
    expect((await get({ 'if-none-match': etag })).status).toBe(304);
    for (const met of conditionsMetBy(whole)) {
      const answer = await get({ range: 'bytes=6-', ...met });
      expect([met, answer.status, await answer.text()]).toEqual([met, 206, 'world']);
    }
    expect((await get({ 'if-match': '"other"' })).status).toBe(412);
    expect((await get({}, undefined, 'bert')).status).toBe(404);
    const inside = (await filesBelow(root)).map(
      (location) => `/files-inside/${encodeURI(location).replaceAll('#', '%23')}`,
    );
    expect((await get({}, inside[0])).status).toBe(404);
  });
});
