import { getRepositoryToken } from '@nestjs/typeorm';
import { FileIntent } from 'nestjs-files/entities';
import type { Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { freshName, pdf } from '../e2e/portal/samples.js';
import { findChromium } from './support/find-chromium.js';
import { look, Pages } from './support/pages.js';

const chromium = findChromium();

describe.skipIf(!chromium)('the portal in a browser', () => {
  const pages = new Pages(chromium);

  it('works with the keyboard alone, from logging in to logging out', async () => {
    const { alice, visitor } = pages.portal;
    await alice.upload(pdf(), 'by-keyboard.pdf');
    const page = await pages.as(visitor, '/web/packages/new');
    const keys = page.keyboard;
    await look(page, 'login');

    // The first field has the focus, as soon as the browser gives it.
    const focused = page.locator('#name:focus');
    await focused.waitFor();
    await keys.type('alice');
    await keys.press('Tab');
    await keys.type('wrong');
    await keys.press('Enter');
    await page.getByRole('alert').getByText('The name or the password is wrong').waitFor();
    await focused.waitFor();
    await keys.press('Tab');
    await keys.type('through-the-looking-glass');
    await keys.press('Enter');
    await page.getByRole('heading', { name: 'New package' }).waitFor();

    await page.getByLabel('Title').waitFor();
    await keys.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await keys.press('Enter');
    await keys.press('Tab');
    await keys.type('By keyboard');
    await keys.press('Tab');
    await keys.type(freshName('by-keyboard'));
    await keys.press('Tab');
    await keys.press('ArrowDown');
    await keys.press('Tab');
    await keys.type('by-key');
    await page.getByText('pdf', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Save' }).focus();
    await keys.press('Enter');
    await page.getByRole('link', { name: 'Download by-keyboard.pdf' }).waitFor();
    await page.getByText('public').waitFor();

    await page.getByRole('button', { name: 'Log out' }).press('Enter');
    await page.getByRole('link', { name: 'Log in' }).waitFor();
    await page.goto('/web/files');
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
  });

  it('follows the colours that the system asks for', async () => {
    const page = await pages.as(pages.portal.alice, '/web/packages/new');
    const colours = async () => String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    await page.getByLabel('Title').waitFor();
    const light = await colours();

    await page.emulateMedia({ colorScheme: 'dark' });

    expect(await colours()).not.toBe(light);
    await look(page, 'dark');
  });

  it('says that there is nothing where there is nothing', async () => {
    const { bob } = pages.portal;
    for (const path of ['/web/packages/nonsense', `/web/groups/${crypto.randomUUID()}`, '/web/files/nonsense']) {
      const page = await pages.as(bob, path);
      await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    }
  });

  it('shows a manager all files, the rule that decides, and the preview of a sweep', async () => {
    const { app, alice, bob, mary } = pages.portal;
    const [own, given] = [await alice.upload(pdf(), 'her-own.pdf'), await alice.upload(pdf(), 'given.pdf')];
    await alice.post('/packages', { name: freshName('p'), title: 'A private one', attachmentId: given });
    const intents = app.get<Repository<FileIntent>>(getRepositoryToken(FileIntent), { strict: false });
    const abandoned = { storage: 'default', location: 'left-by-a-crash', locationKey: '0'.repeat(64) };
    await intents.insert({ id: crypto.randomUUID(), ...abandoned, kind: 'create', createdAt: new Date(0) });
    const page = await pages.as(mary, '/web/manage');
    const rowOf = (name: string) => page.getByRole('row').filter({ hasText: name });

    await rowOf('her-own.pdf').getByText('No', { exact: true }).waitFor();
    await rowOf('her-own.pdf').getByText('files of a user do not follow their owner').waitFor();
    await rowOf('given.pdf').getByText('cascade: PackageFiles on “read” of the package').waitFor();
    await rowOf('left-by-a-crash').getByText('removes the bytes').waitFor();
    await look(page, 'manage');

    await page.getByLabel('Explain access for').selectOption({ label: 'Alice Liddell' });
    await rowOf('her-own.pdf').getByText('the owner may do this').waitFor();
    await rowOf('given.pdf').getByText('Yes', { exact: true }).waitFor();
    await page.getByLabel('who wants to').selectOption({ label: 'delete it' });
    await rowOf('given.pdf').getByText('cascade: PackageFiles on “delete” of the package').waitFor();
    await page.getByLabel('Explain access for').selectOption({ label: 'Mary Bennet' });
    await rowOf('given.pdf').getByText('a manager may do everything').waitFor();

    await page.getByLabel('Owner').selectOption({ label: 'Users' });
    await rowOf('given.pdf').waitFor({ state: 'detached' });
    await page.getByLabel('Name').fill('no such file');
    await page.getByText('0 of 0 files').waitFor();
    await page.getByLabel('Name').fill('HER-own');
    await rowOf('her-own.pdf').getByRole('link', { name: 'her-own.pdf' }).click();
    await page.getByRole('heading', { name: 'History' }).waitFor();

    expect(page.url()).toContain(own);
    const his = await pages.as(bob, '/web/packages');
    expect(await his.getByRole('link', { name: 'All files' }).count()).toBe(0);
  });
});
