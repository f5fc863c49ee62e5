import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { CDPSession, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { newDirectory } from '../support/files-directory.js';
import { findChromium } from './support/find-chromium.js';
import { TestBrowser } from './support/client-page.js';
import { UploadsProcess } from './support/uploads-process.js';

const MIB = 1024 * 1024;
const SIZE = 200 * MIB;
/** So slow that there is time to interrupt it: bytes a second. */
const LINE = 25 * MIB;
const PHONE = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };
const chromium = findChromium();

const ENTRY = `import './file-field.js';
  const field = document.getElementById('field');
  field.uploadOptions = { retries: 12, tus: () => import('tus-js-client') };
  window.part = () => field.shadowRoot.querySelector('progress')?.value ?? 0;`;

async function pageOf(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: fileURLToPath(new URL('../../lib/client/field/', import.meta.url)) },
    bundle: true,
    format: 'esm',
    write: false,
    ignoreAnnotations: true,
  });
  const code = outputFiles[0]!.text.replaceAll('</script', '<\\\\/script');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>Upload</title><file-field id="field" name="file" label="Choose"></file-field>
    <script type="module">${code}</script></html>`;
}

async function largeFile(): Promise<{ path: string; hash: string }> {
  const path = join(newDirectory(), 'large.bin');
  const file = await open(path, 'w');
  const hash = createHash('sha256');
  for (let written = 0; written < SIZE; written += MIB) {
    const bytes = randomBytes(MIB);
    hash.update(bytes);
    await file.write(bytes);
  }
  await file.close();
  return { path, hash: hash.digest('hex') };
}

function line(session: CDPSession, conditions: { offline: boolean; uploadThroughput: number }): Promise<unknown> {
  return session.send('Network.emulateNetworkConditions', { latency: 0, downloadThroughput: -1, ...conditions });
}

describe.skipIf(!chromium)('an upload of 200 MiB', () => {
  const browser = new TestBrowser(chromium);
  const partOf = (page: Page) => page.evaluate('window.part()') as Promise<number>;
  const reaches = (page: Page, part: number) =>
    page.waitForFunction(`window.part() >= ${part}`, undefined, { timeout: 60_000 });

  it.each([
    ['on a desktop', {}, (page: Page) => page.getByRole('button', { name: 'Choose' }).click()],
    ['on a phone, by touch', PHONE, (page: Page) => page.getByRole('button', { name: 'Choose' }).tap()],
  ])('goes on after the network was cut and the server was killed, %s', async (_where, device, choose) => {
    const server = await UploadsProcess.start(await pageOf());
    const { path, hash } = await largeFile();
    const page = await browser.open(`${server.url}/page`, device);
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    await line(session, { offline: false, uploadThroughput: LINE });
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose' }).waitFor();
    await choose(page);
    await (await choosing).setFiles(path);

    await reaches(page, 0.1);
    const cut = page.waitForEvent('requestfailed');
    await line(session, { offline: true, uploadThroughput: LINE });
    await cut;
    await line(session, { offline: false, uploadThroughput: LINE });
    await reaches(page, 0.4);
    const killed = page.waitForEvent('requestfailed');
    await server.kill();
    await killed;
    const before = await partOf(page);
    await server.run();

    await page.locator('file-field li[data-state=done]').waitFor({ timeout: 100_000 });
    const id = (await page.evaluate("document.getElementById('field').value")) as string;
    const file = (await (await fetch(`${server.url}/files/${id}`)).json()) as Record<string, unknown>;
    expect(file).toMatchObject({ name: 'large.bin', size: SIZE, hash, ownerId: 'ada' });
    expect(before).toBeGreaterThan(0.3);
  });
});
