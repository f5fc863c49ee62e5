import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fieldTexts } from 'nestjs-files/file-field';
import { gate } from '../support/gate.js';
import { TestBrowser } from './support/client-page.js';
import { done, fieldsIn, messageOf, MIB, pick, picked, PNG, rows } from './support/field-page.js';
import { findChromium } from './support/find-chromium.js';

const chromium = findChromium();
const PARTS = ['drop', 'pick', 'hint', 'list', 'item', 'thumbnail', 'name', 'status', 'progress', 'actions', 'action'];

describe.skipIf(!chromium)('what users see of <file-field>', () => {
  const browser = new TestBrowser(chromium);
  const open = fieldsIn(browser);

  /** A field with an upload that has sent the first of its five parts, as long as `stay` is not called. */
  async function sending(attributes = '') {
    const opened = await open(attributes);
    const { page, bucket } = opened;
    const second = gate();
    bucket.refuse = (number) => {
      if (number === 2) second.open();
      return number === 2;
    };
    await pick(page, picked('large.png', Buffer.concat([PNG, randomBytes(9 * MIB)]), 'image/png'));
    await second.opened;
    return { ...opened, goOn: () => (bucket.refuse = () => false) };
  }

  it('is how far each upload is, and which file waits, until they are done', async () => {
    const { page, goOn } = await sending('multiple');
    const bar = page.getByRole('progressbar', { name: 'large.png' });
    expect(await bar.isVisible()).toBe(true);
    const part = () =>
      page.evaluate(
        "document.getElementById('field').shadowRoot.querySelector('progress').position",
      ) as Promise<number>;
    await expect.poll(part).toBeGreaterThan(0.2);
    expect(await part()).toBeLessThan(1);
    await pick(page, picked('next.txt'));
    await rows(page).nth(1).getByText('waiting', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Pause: large.png' }).click();
    // The next one does not wait for one that is paused.
    await done(page, 1);
    expect(await bar.isVisible()).toBe(true);
    goOn();
    await page.getByRole('button', { name: 'Resume: large.png' }).click();
    await done(page, 2);
    expect(await page.getByRole('progressbar').count()).toBe(0);
  });

  it('is what the style sheets of the page make of each part', async () => {
    const { page } = await sending();
    const colors = (await page.evaluate(`((parts) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(parts.map((part, at) => 'file-field::part(' + part + ') { outline-color: rgb(1, 2, ' + at + ') }').join(''));
      document.adoptedStyleSheets = [sheet];
      const { shadowRoot } = document.getElementById('field');
      return parts.map((part) => getComputedStyle(shadowRoot.querySelector('[part=' + part + ']')).outlineColor);
    })(${JSON.stringify(PARTS)})`)) as string[];
    expect(colors).toEqual(PARTS.map((_part, at) => `rgb(1, 2, ${at})`));
  });

  it('is the words of the server, where it has refused a file', async () => {
    const { page, fetch } = await open('storage="small"');
    const form = new FormData();
    form.append('storage', 'small');
    form.append('file', new Blob(['x'.repeat(200)]), 'large.txt');
    const { message } = (await (await fetch('/files', { method: 'POST', body: form })).json()) as { message: string };
    await pick(page, picked('large.txt', Buffer.alloc(200, 'x')));
    await page.getByText(message, { exact: true }).waitFor();
    expect(await messageOf(page)).toBe(message);
    await page.getByRole('status').getByText(`large.txt: ${message}`).waitFor({ state: 'attached' });
  });

  it('is in the language that a module gives to all fields, also to those that are there already', async () => {
    const { page, url } = await open();
    const body = `<!doctype html><html lang="de"><title>Formular</title><file-field id="field" required></file-field>
      <script type="module">
        import { fieldTexts } from '/files/assets/field/file-field.js';
        Object.assign(fieldTexts, { pick: 'Datei wählen', missing: 'Bitte eine Datei wählen.' });
      </script></html>`;
    await page.route('**/formular', (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body }));
    await page.goto(`${url}/formular`);
    await page.locator('file-field button').filter({ hasText: 'Datei wählen' }).waitFor();
    expect(await messageOf(page)).toBe('Bitte eine Datei wählen.');
  });

  it('is in the language that it is given, in every state, also where that is given late', async () => {
    const { page, goOn } = await sending('required accept="image/*" multiple');
    const texts = Object.fromEntries(Object.keys(fieldTexts).map((key) => [key, `«${key}»`]));
    await page.evaluate("document.getElementById('field').removeAttribute('label')");
    await page.evaluate(`document.getElementById('field').texts = ${JSON.stringify(texts)}`);
    const shown = () =>
      page.evaluate(`(() => {
        const { shadowRoot } = document.getElementById('field');
        const labels = [...shadowRoot.querySelectorAll('button')].map((button) => button.ariaLabel);
        return [shadowRoot.textContent, ...labels].join(' ');
      })()`) as Promise<string>;
    const english = Object.values(fieldTexts).filter((text) => text !== '');
    const seesOnly = async (...words: string[]) => {
      for (const word of words) await expect.poll(shown).toContain(`«${word}»`);
      const text = (await shown()).replaceAll(/«\w+»/g, '');
      expect(english.filter((word) => text.includes(word))).toEqual([]);
    };
    const press = (name: string) => page.getByRole('button', { name }).click();
    await seesOnly('pick', 'drop', 'sending', 'pause', 'cancel');
    expect(await messageOf(page)).toBe('«unfinished»');
    await pick(page, picked('a.png', PNG, 'image/png'));
    await seesOnly('waiting');
    await press('«pause»: large.png');
    await seesOnly('paused', 'resume', 'done', 'remove', 'uploaded');
    goOn();
    await press('«resume»: large.png');
    await done(page, 2);
    await pick(page, picked('a.txt'));
    await seesOnly('wrongType', 'retry');
    for (const name of ['«cancel»: a.txt', '«remove»: a.png', '«remove»: large.png']) await press(name);
    await seesOnly('removed');
    expect(await messageOf(page)).toBe('«missing»');
  });
});
