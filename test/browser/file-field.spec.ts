import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FilesModule } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { examplesNotRun } from '../support/doc-examples.js';
import { gate } from '../support/gate.js';
import { findChromium } from './support/find-chromium.js';
import { TestBrowser } from './support/client-page.js';
import { done, fieldsIn, messageOf, MIB, pick, picked, PNG, rows, sent, valueOf } from './support/field-page.js';

const PHONE = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };
const chromium = findChromium();

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
  const open = fieldsIn(browser);

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

  it('offers no pause of an upload that could not go on', async () => {
    const { page } = await open();
    const held = gate();
    await page.route('**/files', async (route) => {
      await held.opened;
      await route.continue();
    });
    const sending = page.waitForRequest('**/files');
    await pick(page, picked('a.txt'));
    await sending;
    expect(await page.getByRole('button', { name: 'Cancel: a.txt' }).count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Pause: a.txt' }).count()).toBe(0);
    held.open();
    await done(page, 1);
  });

  it('goes on with its uploads when it is given the value that it has', async () => {
    const { page, names } = await open('multiple');
    await page.evaluate(`(() => {
      const field = document.getElementById('field');
      field.addEventListener('change', () => { field.value = field.value; });
    })()`);
    await pick(page, picked('1.txt'), picked('2.txt'), picked('3.txt'));
    await done(page, 3);
    expect(await names()).toEqual(['1.txt', '2.txt', '3.txt']);
  });

  it('gives its uploads up when it leaves the page, and not when it is moved', async () => {
    const { page, bucket } = await open();
    const second = gate();
    bucket.refuse = (number) => {
      if (number === 2) second.open();
      return number === 2;
    };
    await pick(page, picked('large.bin', randomBytes(9 * MIB)));
    await second.opened;
    const after = (change: string) =>
      page.evaluate(`new Promise((resolve) => {
        ${change};
        setTimeout(resolve);
      })`);
    await after("document.getElementById('form').append(document.getElementById('field'))");
    expect([await rows(page).count(), bucket.open]).toEqual([1, 1]);
    await after("document.getElementById('field').remove()");
    await expect.poll(() => bucket.open).toBe(0);
  });

  it('notes an upload where its page wants it noted, until it is cancelled', async () => {
    const { page, bucket } = await open();
    const noted = () => page.evaluate('Object.values(localStorage)') as Promise<string[]>;
    const second = gate();
    bucket.refuse = (number) => {
      if (number === 2) second.open();
      return number === 2;
    };
    await page.evaluate("document.getElementById('field').uploadOptions = { resume: true }");
    await pick(page, picked('large.bin', randomBytes(9 * MIB)));
    await second.opened;
    expect(await noted()).toHaveLength(1);
    await page.getByRole('button', { name: 'Cancel: large.bin' }).click();
    await expect.poll(() => bucket.open).toBe(0);
    expect(await noted()).toEqual([]);
  });

  it('lets go of an image that cannot be shown', async () => {
    const { page } = await open();
    await page.evaluate(`(() => {
      window.revoked = [];
      const revoke = URL.revokeObjectURL;
      URL.revokeObjectURL = (url) => {
        window.revoked.push(url);
        revoke.call(URL, url);
      };
    })()`);
    await pick(page, picked('broken.png', Buffer.from('no image'), 'image/png'));
    await done(page, 1);
    await expect.poll(() => page.evaluate('window.revoked.length')).toBe(1);
    expect(await page.locator('file-field img').count()).toBe(0);
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

  it('fires input and change, in this order, once its value has changed', async () => {
    const { page } = await open();
    await page.evaluate(`(() => {
      window.told = [];
      for (const type of ['input', 'change'])
        document.getElementById('form').addEventListener(type, ({ target }) => window.told.push([type, target.value]));
    })()`);
    await pick(page, picked('a.txt'));
    await done(page, 1);
    const id = await valueOf(page);
    expect(await page.evaluate('window.told')).toEqual([
      ['input', id],
      ['change', id],
    ]);
  });

  it('keeps the focus when a file is taken out whose button had it', async () => {
    const { page } = await open();
    await pick(page, picked('a.txt'));
    await done(page, 1);
    await page.getByRole('button', { name: 'Remove: a.txt' }).focus();
    await page.evaluate("(() => { const field = document.getElementById('field'); field.takeOut(field.value); })()");
    expect(await page.evaluate("document.getElementById('field').shadowRoot.activeElement?.textContent")).toBe(
      'Choose',
    );
  });

  /** A file that the server describes only to requests with a token, and the tokens that were sent for it. */
  async function secretFile({ page, files }: Awaited<ReturnType<typeof open>>) {
    const { id } = await files.create(Buffer.from('x'), { name: 'former.txt', owner: { type: 'user', id: 'ada' } });
    const tokens: (string | undefined)[] = [];
    await page.route(`**/files/${id}`, (route) => {
      const token = route.request().headers()['x-token'];
      tokens.push(token);
      return token === undefined ? route.fulfill({ status: 401 }) : route.continue();
    });
    return { id, tokens };
  }

  it('asks for the name of a file again when it gets its options late', async () => {
    const opened = await open();
    const { page } = opened;
    const { id, tokens } = await secretFile(opened);
    const refused = page.waitForResponse(`**/files/${id}`);
    await page.evaluate(`document.getElementById('field').setAttribute('value', '${id}')`);
    await refused;
    await page.evaluate("document.getElementById('field').uploadOptions = { headers: { 'x-token': 'late' } }");
    await page.getByText('former.txt').waitFor();
    expect([tokens, await valueOf(page)]).toEqual([[undefined, 'late'], id]);
  });

  it.each([
    [
      'before its module is loaded',
      () => '<file-field id="field"></file-field>',
      (id: string) => `Object.assign(field, { uploadOptions, texts: { pick: 'Datei' }, value: '${id}' });
        await import('/files/assets/field/file-field.js');`,
    ],
    [
      'by the module that loads it',
      (id: string) => `<file-field id="field" value="${id}" label="Datei"></file-field>`,
      () => `import '/files/assets/field/file-field.js';
        field.uploadOptions = uploadOptions;`,
    ],
  ])('takes properties that are set %s', async (_when, element, script) => {
    const opened = await open();
    const { page, url } = opened;
    const { id, tokens } = await secretFile(opened);
    const body = `<!doctype html><html lang="de"><title>Form</title>${element(id)}<script type="module">
      const field = document.getElementById('field');
      const uploadOptions = { headers: { 'x-token': 'early' } };
      ${script(id)}</script></html>`;
    await page.route('**/other', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body }));
    await page.goto(`${url}/other`);
    await page.getByText('former.txt').waitFor();
    await page.getByRole('button', { name: 'Datei' }).waitFor();
    expect([tokens, await valueOf(page)]).toEqual([['early'], id]);
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
