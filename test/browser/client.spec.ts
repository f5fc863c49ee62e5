import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Request } from 'express';
import type { Page, Request as PageRequest } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { IsNull } from 'typeorm';
import { FilesService } from 'nestjs-files';
import { FileUpload } from 'nestjs-files/entities';
import { fsStorage } from 'nestjs-files/storage/fs';
import { bucketServer } from '../support/bucket-server.js';
import { newDirectory } from '../support/files-directory.js';
import { gate } from '../support/gate.js';
import { startApp } from '../support/http-app.js';
import { findChromium } from './support/find-chromium.js';
import { servePages, TestBrowser } from './support/client-page.js';

const MIB = 1024 * 1024;
const chromium = findChromium();

const PAGE = `<!doctype html><html lang="en"><title>Upload</title>
<input type="file" id="file"><button id="cancel">Cancel</button>
<progress id="progress" max="1" value="0"></progress><output id="result"></output>
<script type="module">
  import { upload } from '/client/index.js';
  const shown = document.getElementById('result');
  const stop = new AbortController();
  document.getElementById('cancel').onclick = () => stop.abort(new Error('cancelled'));
  window.told = [];
  document.getElementById('file').onchange = async ({ target }) => {
    const onProgress = (sent, total) => {
      window.told.push(sent);
      document.getElementById('progress').value = sent / total;
    };
    const options = { headers: { 'x-user': 'ada' }, onProgress, signal: stop.signal, resume: location.hash.includes('resume') };
    if (location.hash.includes('tus')) options.tus = () => import('/tus.js');
    if (location.hash.includes('lost')) options.endpoint = '/lost';
    if (location.hash.includes('small')) options.storage = 'small';
    if (location.hash.includes('silent')) delete options.onProgress;
    try {
      shown.textContent = JSON.stringify(await upload(target.files[0], options));
    } catch (error) {
      shown.textContent = JSON.stringify({ name: error.name, code: error.code, status: error.status, message: error.message });
    }
  };
</script></html>`;

/** What a bundler or a CDN makes of tus-js-client. */
async function tusModule(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: "export { Upload } from 'tus-js-client';",
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  return outputFiles[0]!.text;
}

describe.skipIf(!chromium)('the client in a browser', () => {
  const browser = new TestBrowser(chromium);

  async function start() {
    const bucket = await bucketServer(2 * MIB);
    /** The server takes all of a request, and its answer is lost. */
    const lost = { requests: 0 };
    const app = await startApp({
      options: { storages: { default: bucket.storage, small: fsStorage({ root: newDirectory() }) } },
      prepare: async (nest) => {
        servePages(nest, { '/page': PAGE }, { '/tus.js': await tusModule() });
        const routes = nest.getHttpAdapter() as unknown as {
          use(path: string, take: (request: Request) => void): void;
        };
        routes.use('/lost', (request) => {
          lost.requests++;
          request.resume().on('end', () => request.socket.destroy());
        });
      },
    });
    return { ...app, bucket, lost, files: app.app.get(FilesService) };
  }

  const pick = (page: Page, buffer: Buffer) =>
    page.locator('#file').setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer });
  const result = async (page: Page) => {
    await page.locator('#result').filter({ hasText: '{' }).waitFor();
    return JSON.parse(await page.locator('#result').innerText()) as Record<string, unknown>;
  };
  const hashOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');

  it('sends a small file in a form, from modules that nothing has bundled, and shows how far it is', async () => {
    const { url, files } = await start();
    const page = await browser.open(`${url}/page`);
    const content = randomBytes(3 * MIB);
    await pick(page, content);
    const uploaded = await result(page);
    expect(uploaded).toMatchObject({ name: 'a.bin', size: 3 * MIB, ownerId: 'ada', hash: hashOf(content) });
    const told = (await page.evaluate('window.told')) as number[];
    expect(told.length).toBeGreaterThan(1);
    expect(told).toEqual(told.toSorted((one, other) => one - other));
    expect(told.at(-1)).toBe(3 * MIB);
    expect((await files.search()).count).toBe(1);
  });

  it.each(['', '#silent'])('sends a form again that was cut off before all of it had left, %s', async (hash) => {
    const { url, files } = await start();
    const page = await browser.open(`${url}/page${hash}`);
    let requests = 0;
    await page.route('**/files', (route) => (++requests === 1 ? route.abort('connectionreset') : route.continue()));
    const content = randomBytes(MIB);
    await pick(page, content);
    expect(await result(page)).toMatchObject({ hash: hashOf(content) });
    expect([requests, (await files.search()).count]).toEqual([2, 1]);
  });

  it('does not send a form again that has left, and whose answer was lost', async () => {
    const { url, lost } = await start();
    const page = await browser.open(`${url}/page#lost`);
    let sent = 0;
    page.on('request', (request) => void (sent += Number(request.url().endsWith('/lost'))));
    await pick(page, randomBytes(MIB));
    expect(await result(page)).toMatchObject({ name: 'UploadError', status: 0, message: 'The connection was lost' });
    expect(sent).toBe(1);
    // Chromium itself sends a request again for each connection that it had kept, and which is closed without an
    // answer.
    expect(lost.requests).toBeGreaterThanOrEqual(1);
  });

  it('shows the refusal of the server', async () => {
    const { url } = await start();
    const page = await browser.open(`${url}/page`);
    await page.route('**/files', async (route) => {
      const { 'x-user': _, ...headers } = await route.request().allHeaders();
      await route.continue({ headers });
    });
    await pick(page, Buffer.from('x'));
    expect(await result(page)).toMatchObject({
      name: 'UploadError',
      code: 'FILES_AUTHENTICATION_REQUIRED',
      status: 401,
      message: expect.stringContaining('upload') as string,
    });
  });

  it('goes on with a large file when the network was gone', async () => {
    const { url, bucket, files } = await start();
    const page = await browser.open(`${url}/page`);
    const cut = gate();
    bucket.refuse = (number, response) => {
      if (number !== 2) return false;
      bucket.refuse = () => false;
      response.destroy();
      cut.open();
      return true;
    };
    const content = randomBytes(9 * MIB);
    await pick(page, content);
    await cut.opened;
    const isOffline = (request: PageRequest) => request.failure()?.errorText === 'net::ERR_INTERNET_DISCONNECTED';
    const failed = page.waitForEvent('requestfailed', isOffline);
    await page.context().setOffline(true);
    await failed;
    await page.context().setOffline(false);
    const { id, hash } = await result(page);
    expect(hash).toBe(hashOf(content));
    expect([...new Set(bucket.parts)]).toEqual([1, 2, 3, 4, 5]);
    expect((await files.findOrFail(String(id))).size).toBe(9 * MIB);
  });

  it('goes on with a large file when the page was closed in the middle', async () => {
    const { url, bucket } = await start();
    const page = await browser.open(`${url}/page#resume`);
    const third = gate();
    bucket.refuse = (number) => {
      if (number === 3) third.open();
      return number === 3;
    };
    const content = randomBytes(9 * MIB);
    const path = join(newDirectory(), 'a.bin');
    await writeFile(path, content);
    await page.locator('#file').setInputFiles(path);
    await third.opened;
    expect(bucket.parts).toEqual([1, 2]);
    bucket.refuse = () => false;
    await page.reload();
    await page.locator('#file').setInputFiles(path);
    expect(await result(page)).toMatchObject({ hash: hashOf(content) });
    expect(bucket.parts).toEqual([1, 2, 3, 4, 5]);
    expect(await page.evaluate('localStorage.length')).toBe(0);
  });

  it('gives a large file up when the user cancels', async () => {
    const { url, bucket, files } = await start();
    const page = await browser.open(`${url}/page`);
    const second = gate();
    bucket.refuse = (number) => {
      if (number === 2) second.open();
      return number === 2;
    };
    await pick(page, randomBytes(9 * MIB));
    await second.opened;
    await page.locator('#cancel').click();
    expect(await result(page)).toMatchObject({ message: 'cancelled' });
    await expect.poll(() => bucket.open).toBe(0);
    expect((await files.search()).count).toBe(0);
  });

  /** Lets the first request that appends get no further than to the browser. */
  async function holdAppend(page: Page): Promise<{ held: Promise<void>; stop: () => Promise<void> }> {
    const held = gate();
    await page.route('**/files/tus/*', (route) => {
      if (route.request().method() !== 'PATCH') return route.continue();
      held.open();
    });
    return { held: held.opened, stop: () => page.unroute('**/files/tus/*') };
  }

  /** Answers the first request of this method to the address with this status, or cuts it off. */
  async function failOnce(page: Page, method: string, address: string, status?: number): Promise<void> {
    let isOver = false;
    await page.route(address, (route) => {
      if (isOver || route.request().method() !== method) return route.fallback();
      isOver = true;
      return status === undefined ? route.abort('connectionreset') : route.fulfill({ status });
    });
  }

  /** Counts the uploads that the page begins. */
  function begunBy(page: Page): { count: number } {
    const begun = { count: 0 };
    page.on('request', (request) => void (begun.count += Number(request.method() === 'POST')));
    return begun;
  }

  it('sends a large file by tus, where the storage takes nothing from clients', async () => {
    const { url, files } = await start();
    const page = await browser.open(`${url}/page#small,tus`);
    const content = randomBytes(7 * MIB);
    const [request] = await Promise.all([page.waitForRequest('**/files/tus'), pick(page, content)]);
    expect(request.method()).toBe('POST');
    expect(await result(page)).toMatchObject({
      name: 'a.bin',
      storage: 'small',
      ownerId: 'ada',
      hash: hashOf(content),
    });
    expect(((await page.evaluate('window.told')) as number[]).at(-1)).toBe(7 * MIB);
    expect((await files.search()).count).toBe(1);
  });

  it('goes on by tus when the page was closed in the middle', async () => {
    const { url } = await start();
    const page = await browser.open(`${url}/page#small,tus,resume`);
    const { held, stop } = await holdAppend(page);
    const content = randomBytes(7 * MIB);
    const path = join(newDirectory(), 'a.bin');
    await writeFile(path, content);
    await page.locator('#file').setInputFiles(path);
    await held;
    await page.reload();
    await stop();
    const begun = begunBy(page);
    await page.locator('#file').setInputFiles(path);
    expect(await result(page)).toMatchObject({ hash: hashOf(content) });
    expect([begun.count, await page.evaluate('localStorage.length')]).toEqual([0, 0]);
  });

  it('goes on with the same upload by tus after a proxy has answered where to go on', async () => {
    const { url, files } = await start();
    const page = await browser.open(`${url}/page#small,tus`);
    const begun = begunBy(page);
    await failOnce(page, 'PATCH', '**/files/tus/*');
    await failOnce(page, 'HEAD', '**/files/tus/*', 502);
    const content = randomBytes(7 * MIB);
    await pick(page, content);
    expect(await result(page)).toMatchObject({ hash: hashOf(content) });
    expect([begun.count, (await files.search()).count]).toEqual([1, 1]);
  });

  it.each([
    ['appending', 'PATCH', '**/files/tus/*'],
    ['the question for the file', 'GET', '**/files/*-*'],
  ])('goes on with the same upload by tus after %s was refused', async (_what, method, address) => {
    const { url, files } = await start();
    const page = await browser.open(`${url}/page#small,tus,resume`);
    const begun = begunBy(page);
    await failOnce(page, method, address, 401);
    const path = join(newDirectory(), 'a.bin');
    const content = randomBytes(7 * MIB);
    await writeFile(path, content);
    await page.locator('#file').setInputFiles(path);
    expect(await result(page)).toMatchObject({ name: 'UploadError', status: 401 });
    await page.reload();
    await page.locator('#file').setInputFiles(path);
    expect(await result(page)).toMatchObject({ hash: hashOf(content) });
    expect([begun.count, (await files.search()).count]).toEqual([1, 1]);
    expect(await page.evaluate('localStorage.length')).toBe(0);
  });

  it('gives an upload by tus up when the user cancels, and shows refusals', async () => {
    const { url, dataSource, files } = await start();
    const page = await browser.open(`${url}/page#small,tus`);
    const { held, stop } = await holdAppend(page);
    await pick(page, randomBytes(7 * MIB));
    await held;
    await page.locator('#cancel').click();
    expect(await result(page)).toMatchObject({ message: 'cancelled' });
    await expect.poll(() => dataSource.getRepository(FileUpload).countBy({ endedAt: IsNull() })).toBe(0);
    await stop();

    const other = await browser.open(`${url}/page#small,tus`);
    await other.route('**/files/tus', (route) =>
      route.fulfill({ status: 413, json: { code: 'FILES_FILE_TOO_LARGE', message: 'It is too large' } }),
    );
    await pick(other, randomBytes(7 * MIB));
    expect(await result(other)).toMatchObject({ name: 'UploadError', code: 'FILES_FILE_TOO_LARGE', status: 413 });
    expect((await files.search()).count).toBe(0);
  });
});
