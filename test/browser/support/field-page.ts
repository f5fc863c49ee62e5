import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { FilesService } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { CLIENT_FOLDER } from '../../../lib/http/routes/assets-endpoints.js';
import { bucketServer } from '../../support/bucket-server.js';
import { builtClient } from '../../support/built-client.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';
import { servePages } from './client-page.js';
import type { TestBrowser } from './client-page.js';

export const MIB = 1024 * 1024;
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

/** A page whose policy allows nothing but its own modules, and whose button tells what the form would send. */
const pageWith = (field: string) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Form</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="content-security-policy" content="default-src 'self'; img-src 'self' blob:; connect-src *; script-src 'self' 'unsafe-inline'">
<form id="form"><fieldset id="set"><label for="field">Attachment</label>${field}</fieldset><button>Send</button>
<button type="reset">Reset</button></form><output id="sent"></output>
<script type="module" src="/files/assets/field/file-field.js"></script>
<script type="module">
  document.getElementById('form').addEventListener('submit', (event) => {
    event.preventDefault();
    document.getElementById('sent').textContent = JSON.stringify([...new FormData(event.target)]);
  });
  window.changes = [];
  document.getElementById('field').addEventListener('change', ({ target }) => window.changes.push(target.value));
</script></html>`;

/** Opens a page of an application, with one field. The storage `small` takes 100 bytes. */
export const fieldsIn =
  (browser: TestBrowser) =>
  async (attributes = '', options: Parameters<TestBrowser['open']>[1] = {}) => {
    const bucket = await bucketServer(2 * MIB);
    const html = pageWith(`<file-field id="field" name="attachmentId" label="Choose" ${attributes}></file-field>`);
    const app = await startApp({
      options: {
        storages: { default: bucket.storage, small: fsStorage({ root: newDirectory(), maxSize: 100 }) },
        actor: () => ({ type: 'user', id: 'ada' }),
        http: { assets: true },
      },
      overrides: [[CLIENT_FOLDER, await builtClient()]],
      prepare: (nest) => servePages(nest, { '/page': html }),
    });
    const page = await browser.open(`${app.url}/page`, options);
    // Its module has been loaded.
    await page.getByRole('button', { name: 'Choose' }).waitFor();
    const files = app.app.get(FilesService);
    const names = async () => (await files.search({ sort: 'id' })).results.map(({ name }) => name);
    return { ...app, page, bucket, files, names };
  };

export const picked = (name: string, buffer = Buffer.from(name), mimeType = 'text/plain') => ({
  name,
  mimeType,
  buffer,
});
export const pick = (page: Page, ...files: ReturnType<typeof picked>[]) =>
  page.locator('file-field input[type=file]').setInputFiles(files);
export const rows = (page: Page) => page.locator('file-field li');
export const done = async (page: Page, count: number): Promise<void> => {
  const finished = page.locator('file-field li[data-state=done]');
  await expect.poll(() => finished.count()).toBe(count);
};
export const valueOf = (page: Page) => page.evaluate("document.getElementById('field').value") as Promise<string>;
export const messageOf = (page: Page) =>
  page.evaluate("document.getElementById('field').validationMessage") as Promise<string>;
export const sent = async (page: Page) => {
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('#sent').filter({ hasText: '[' }).waitFor();
  return JSON.parse(await page.locator('#sent').innerText()) as [string, string][];
};
