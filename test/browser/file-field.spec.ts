import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { FilesModule, FilesService } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { CLIENT_FOLDER } from '../../lib/http/routes/assets-endpoints.js';
import { bucketServer } from '../support/bucket-server.js';
import { builtClient } from '../support/built-client.js';
import { examplesNotRun } from '../support/doc-examples.js';
import { newDirectory } from '../support/files-directory.js';
import { gate } from '../support/gate.js';
import { startApp } from '../support/http-app.js';
import { findChromium } from './support/find-chromium.js';
import { servePages, TestBrowser } from './support/client-page.js';

const MIB = 1024 * 1024;
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);
const PHONE = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };
const chromium = findChromium();

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

const RECIPE = new URL('./recipes/texts.recipe.ts', import.meta.url).href;

it('runs every example of docs/file-field.md', async () => {
  const served = () =>
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: 'var/files' }) },
      uploads: 'authenticated',
      http: { assets: true },
    });
  expect(served().controllers?.map(({ name }) => name)).toContain('AssetsController');
  expect(await examplesNotRun('file-field.md', import.meta.url, RECIPE)).toEqual([]);
});

describe.skipIf(!chromium)('<file-field>', () => {
  const browser = new TestBrowser(chromium);

  async function open(attributes = '', options: Parameters<TestBrowser['open']>[1] = {}) {
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
  }

  const picked = (name: string, buffer = Buffer.from(name), mimeType = 'text/plain') => ({ name, mimeType, buffer });
  const pick = (page: Page, ...files: ReturnType<typeof picked>[]) =>
    page.locator('file-field input[type=file]').setInputFiles(files);
  const rows = (page: Page) => page.locator('file-field li');
  const done = async (page: Page, count: number): Promise<void> => {
    const finished = page.locator('file-field li[data-state=done]');
    await expect.poll(() => finished.count()).toBe(count);
  };
  const valueOf = (page: Page) => page.evaluate("document.getElementById('field').value") as Promise<string>;
  const messageOf = (page: Page) =>
    page.evaluate("document.getElementById('field').validationMessage") as Promise<string>;
  const sent = async (page: Page) => {
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('#sent').filter({ hasText: '[' }).waitFor();
    return JSON.parse(await page.locator('#sent').innerText()) as [string, string][];
  };

  it('uploads a file and is a field of its form, whose value is the id', async () => {
    const { page, files } = await open('required');
    expect(await messageOf(page)).toBe('Choose a file.');
    await page.getByRole('button', { name: 'Send' }).click();
    expect(await page.locator('#sent').innerText()).toBe('');

    await pick(page, picked('a.txt'));
    await done(page, 1);
    const [{ id } = { id: '' }] = (await files.search()).results;
    expect(await sent(page)).toEqual([['attachmentId', id]]);
    expect([await valueOf(page), await messageOf(page)]).toEqual([id, '']);
    expect(await page.evaluate('window.changes')).toEqual([id]);
    await page.getByRole('status').getByText('a.txt: uploaded').waitFor({ state: 'attached' });
  });

  it('opens the picker by keyboard, and gives the focus on to its buttons', async () => {
    const { page } = await open();
    const choosing = page.waitForEvent('filechooser');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('field');
    await page.keyboard.press('Enter');
    const chooser = await choosing;
    await chooser.setFiles([picked('a.txt')]);
    await done(page, 1);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(() => rows(page).count()).toBe(0);
    expect(await page.evaluate("document.getElementById('field').shadowRoot.activeElement.textContent")).toBe('Choose');
    expect(await page.evaluate('window.changes.length')).toBe(2);
  });

  it('gives the focus to its button when its label is clicked', async () => {
    const { page } = await open();
    await page.getByText('Attachment').click();
    expect(await page.evaluate('document.activeElement.id')).toBe('field');
  });

  it.each(['drop', 'paste'])('takes files by %s', async (way) => {
    const { page, names } = await open('multiple');
    await page.evaluate(`(() => {
      const data = new DataTransfer();
      data.items.add(new File(['one'], 'one.txt', { type: 'text/plain' }));
      data.items.add(new File(['two'], 'two.txt', { type: 'text/plain' }));
      const field = document.getElementById('field');
      if ('${way}' === 'paste') field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, cancelable: true }));
      else for (const type of ['dragover', 'drop'])
        field.shadowRoot.querySelector('[part=drop]').dispatchEvent(new DragEvent(type, { dataTransfer: data, cancelable: true }));
    })()`);
    await done(page, 2);
    expect(await names()).toEqual(['one.txt', 'two.txt']);
  });

  it('uploads several files in their order, and one file takes the place of another', async () => {
    const { page, files } = await open('multiple');
    await pick(page, picked('1.txt'), picked('2.txt'), picked('3.txt'));
    await done(page, 3);
    const { results } = await files.search({ sort: 'id' });
    expect(results.map(({ name }) => name)).toEqual(['1.txt', '2.txt', '3.txt']);
    expect(await sent(page)).toEqual(results.map(({ id }) => ['attachmentId', id]));

    const single = await open();
    await pick(single.page, picked('old.txt'));
    await done(single.page, 1);
    await pick(single.page, picked('new.txt'));
    await single.page.getByRole('status').getByText('new.txt: uploaded').waitFor({ state: 'attached' });
    expect(await rows(single.page).count()).toBe(1);
    expect((await sent(single.page)).length).toBe(1);
  });

  it('shows the refusal of the server as its validation message, and tries again', async () => {
    const { page } = await open();
    let isRefused = true;
    await page.route('**/files', (route) =>
      isRefused ? route.fulfill({ status: 422, json: { message: 'Not today', code: 'X' } }) : route.continue(),
    );
    await pick(page, picked('a.txt'));
    await page.getByText('Not today', { exact: true }).waitFor();
    expect(await messageOf(page)).toBe('Not today');
    isRefused = false;
    await page.getByRole('button', { name: 'Try again: a.txt' }).click();
    await done(page, 1);
    expect(await messageOf(page)).toBe('');
    await page.evaluate("document.getElementById('field').setCustomValidity('Another one, please')");
    expect(await messageOf(page)).toBe('Another one, please');
  });

  it('refuses what its accept attribute does not name', async () => {
    const { page, names } = await open('accept="image/*,.pdf"');
    await pick(page, picked('a.txt'));
    await page.getByText('This kind of file is not accepted here.', { exact: true }).waitFor();
    expect(await names()).toEqual([]);
  });

  it('pauses a large upload and goes on, and cancels one', async () => {
    const { page, bucket, names } = await open();
    const third = gate();
    bucket.refuse = (number) => {
      if (number === 3) third.open();
      return number === 3;
    };
    await pick(page, picked('large.bin', randomBytes(9 * MIB)));
    await third.opened;
    expect(await messageOf(page)).toBe('Wait until the upload has ended.');
    await page.getByRole('button', { name: 'Pause: large.bin' }).click();
    await page.getByText('paused', { exact: true }).waitFor();
    bucket.refuse = () => false;
    await page.getByRole('button', { name: 'Resume: large.bin' }).click();
    await done(page, 1);
    expect(bucket.parts).toEqual([1, 2, 3, 4, 5]);

    const second = gate();
    bucket.refuse = (number) => {
      if (number === 2) second.open();
      return number === 2;
    };
    await pick(page, picked('other.bin', randomBytes(9 * MIB)));
    await second.opened;
    await page.getByRole('button', { name: 'Cancel: other.bin' }).click();
    await expect.poll(() => bucket.open).toBe(0);
    expect([await rows(page).count(), await names()]).toEqual([0, ['large.bin']]);
  });

  it('shows thumbnails, of picked files and of those that are there already', async () => {
    const { page, files } = await open();
    await pick(page, picked('a.png', PNG, 'image/png'));
    await done(page, 1);
    await page.locator('file-field img').waitFor();
    const { id } = await files.create(PNG, { name: 'former.png', owner: { type: 'user', id: 'ada' } });
    await page.evaluate(`document.getElementById('field').setAttribute('value', '${id}')`);
    await page.getByText('former.png').waitFor();
    await page.locator(`file-field img[src="/files/${id}/content"]`).waitFor();
    expect(await sent(page)).toEqual([['attachmentId', id]]);
  });

  it('is empty again after a reset, and sends nothing while it is disabled', async () => {
    const { page } = await open();
    await pick(page, picked('a.txt'));
    await done(page, 1);
    await page.evaluate("document.getElementById('set').disabled = true");
    expect(await sent(page)).toEqual([]);
    expect(await page.getByRole('button', { name: 'Choose' }).isDisabled()).toBe(true);
    await page.evaluate("document.getElementById('set').disabled = false");
    await page.getByRole('button', { name: 'Reset' }).click();
    expect([await rows(page).count(), await valueOf(page)]).toEqual([0, '']);
  });

  it('lets nobody change its files while it is disabled, and lets go of a problem when they change', async () => {
    const { page } = await open('endpoint="/files" storage="small"');
    await pick(page, picked('a.txt'));
    await done(page, 1);
    const id = await valueOf(page);
    await page.evaluate("document.getElementById('set').disabled = true");
    const remove = page.getByRole('button', { name: 'Remove: a.txt' });
    expect(await remove.isDisabled()).toBe(true);
    await page.evaluate("document.getElementById('set').disabled = false");
    expect(await remove.isDisabled()).toBe(false);
    // The file that takes its place is too large.
    await pick(page, picked('large.txt', randomBytes(200)));
    await page.locator('file-field li[data-state=failed]').waitFor();
    expect([await valueOf(page), await page.evaluate('window.changes')]).toEqual(['', [id, '']]);
    await page.evaluate("document.getElementById('field').setCustomValidity('gone')");
    expect(await messageOf(page)).toBe('gone');
    await page.getByRole('button', { name: 'Reset' }).click();
    expect([await messageOf(page), await rows(page).count()]).toEqual(['', 0]);
    expect(await sent(page)).toEqual([]);
  });

  it('tells the page of its progress, and asks for no other address than that of its file', async () => {
    const { page } = await open();
    await page.evaluate(
      "window.told = []; document.getElementById('field').uploadOptions = { onProgress: (sent, total) => told.push([sent, total]) }",
    );
    await pick(page, picked('a.txt', randomBytes(50)));
    await done(page, 1);
    expect(await page.evaluate('window.told.at(-1)')).toEqual([50, 50]);
    const asked = page.waitForRequest((request) => request.url().includes('files'));
    await page.evaluate("document.getElementById('field').value = '../logout?now'");
    expect(new URL((await asked).url()).pathname).toBe('/files/..%2Flogout%3Fnow');
  });

  it('is a group for screen readers, which has the name of its label, with buttons that say of which file they are', async () => {
    const { page } = await open('required');
    await pick(page, picked('a.txt'));
    await done(page, 1);
    const session = await page.context().newCDPSession(page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const read = nodes.filter(({ ignored }) => !ignored).map(({ role, name }) => `${role?.value} ${name?.value}`);
    for (const what of ['group Attachment', 'button Choose', 'button Remove: a.txt']) expect(read).toContain(what);
    expect(nodes.some(({ role, ignored }) => role?.value === 'status' && !ignored)).toBe(true);
  });

  it('speaks the language that it is given', async () => {
    const { page } = await open('required');
    await page.evaluate(`(() => {
      const field = document.getElementById('field');
      field.texts = { drop: 'oder hierher ziehen', missing: 'Bitte eine Datei wählen.', remove: 'Entfernen' };
      field.setAttribute('label', 'Datei wählen');
    })()`);
    await page.getByText('oder hierher ziehen').waitFor();
    expect(await messageOf(page)).toBe('Bitte eine Datei wählen.');
    await pick(page, picked('a.txt'));
    await page.getByRole('button', { name: 'Entfernen: a.txt' }).waitFor();
  });

  it('works by touch on a phone, and is no wider than it', async () => {
    const { page } = await open('multiple', PHONE);
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Choose' }).tap(),
    ]);
    await chooser.setFiles([picked(`${'long-name-'.repeat(20)}.txt`), picked('b.txt')]);
    await done(page, 2);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    await page.getByRole('button', { name: 'Remove: b.txt' }).tap();
    await expect.poll(() => rows(page).count()).toBe(1);
  });
});
