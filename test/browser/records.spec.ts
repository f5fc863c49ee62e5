import type { Page, Request } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { csv, freshName, pdf, png } from '../e2e/portal/samples.js';
import { gate } from '../support/gate.js';
import { findChromium } from './support/find-chromium.js';
import { look, Pages } from './support/pages.js';

const chromium = findChromium();
const PICKER = 'file-field input[type=file]';
const picture = { name: 'picture.png', mimeType: 'image/png', buffer: Buffer.from(png) };

describe.skipIf(!chromium)('records in a browser', () => {
  const pages = new Pages(chromium);
  const save = (page: Page) => page.getByRole('button', { name: 'Save' }).click();

  it('lists the packages that one may see, with their downloads', async () => {
    const { alice, bob, visitor } = pages.portal;
    const attachmentId = await alice.upload(pdf(), 'open.pdf');
    await alice.post('/packages', {
      name: freshName('open'),
      title: 'An open one',
      visibility: 'public',
      attachmentId,
    });
    await alice.post('/packages', { name: freshName('closed'), title: 'A closed one' });

    for (const [reader, sees] of [
      [alice, 1],
      [bob, 0],
      [visitor, 0],
    ] as const) {
      const page = await pages.as(reader, '/web/packages');
      await page.getByRole('link', { name: 'Download open.pdf' }).waitFor();
      expect(await page.getByRole('link', { name: 'A closed one' }).count()).toBe(sees);
      if (reader === alice) await look(page, 'packages');
    }
  });

  it('makes a package with files that are uploaded on the spot, and edits it', async () => {
    const { alice, visitor } = pages.portal;
    const page = await pages.as(alice, '/web/packages/new');
    await page.getByLabel('Title').fill('Inhabitants');
    await page.getByLabel('Name', { exact: true }).fill(freshName('inhabitants'));
    await page.getByLabel('Everybody').check();
    const attachment = page.locator('.field').filter({ hasText: 'Attachment' });
    await attachment
      .locator(PICKER)
      .setInputFiles({ name: 'about.pdf', mimeType: 'application/pdf', buffer: Buffer.from(pdf()) });
    await attachment.getByText('pdf', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Add a resource' }).click();
    const resource = page.locator('.resources > li').first();
    await resource.getByLabel('Name').fill('cities');
    await resource
      .locator(PICKER)
      .setInputFiles({ name: 'cities.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
    await expect.poll(() => resource.getByRole('combobox').locator('option:checked').innerText()).toBe('cities.csv');
    await save(page);
    await page.getByRole('link', { name: 'Download cities.csv' }).waitFor();
    await look(page, 'package');

    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Remove' }).click();
    await attachment.getByRole('combobox').selectOption({ label: 'No file' });
    await save(page);
    await page.getByRole('heading', { name: 'Attachment' }).waitFor();
    const packageId = page.url().split('/').at(-1)!;
    expect((await visitor.get(`/packages/${packageId}`)).body).toMatchObject({ attachmentId: null, resources: [] });
  });

  it('shows each problem beside the field of the resource that it is about', async () => {
    const { alice, bob } = pages.portal;
    const taken = await alice.upload(pdf(), 'taken.pdf');
    const page = await pages.as(alice, '/web/packages/new');
    await page.getByLabel('Title').fill('Wrong');
    await page.getByLabel('Name', { exact: true }).fill('Not A Name');
    for (const name of ['first', '']) {
      await page.getByRole('button', { name: 'Add a resource' }).click();
      await page.locator('.resources > li').last().getByLabel('Name').fill(name);
    }
    const [first, second] = [page.locator('.resources > li').first(), page.locator('.resources > li').last()];
    await second.getByLabel('File').selectOption({ label: 'taken.pdf' });
    // Meanwhile, somebody else gets it.
    expect(
      (await pages.portal.mary.post(`/files/${taken}/transfer`, { ownerType: 'user', ownerId: bob.id })).status,
    ).toBe(200);
    await save(page);

    await first.getByText('Must be the id of a file').waitFor();
    await second.getByText('The file does not exist, or you may not use it').waitFor();
    await second.getByText('Must be longer than or equal to 1 characters').waitFor();
    await page.getByText('Must be 2 to 100 small letters, digits or dashes').waitFor();
    expect(await first.getByLabel('Name').getAttribute('aria-invalid')).toBeNull();
    expect(await page.evaluate('document.activeElement.name')).toBe('name');
    await look(page, 'package-form');
  });

  it.each([
    ['groups', 'group', 'Image'],
    ['organizations', 'organization', 'Image'],
  ])('makes %s with an image, which everybody sees', async (path, one, label) => {
    const { alice, visitor } = pages.portal;
    const page = await pages.as(alice, `/web/${path}`);
    const name = freshName(one);
    await page.getByRole('link', { name: `New ${one}` }).click();
    await page.getByLabel('Title').fill(`The ${one}`);
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.locator(PICKER).setInputFiles(picture);
    await expect.poll(() => page.getByRole('combobox').locator('option:checked').innerText()).toBe('picture.png');
    await save(page);
    await page.getByRole('img', { name: `${label} of The ${one}` }).waitFor();

    const his = await pages.as(visitor, `/web/${path}`);
    await his.getByRole('link', { name: `The ${one}` }).waitFor();
    await expect.poll(() => his.evaluate(`document.querySelector('img.portrait')?.naturalWidth`)).toBe(1);
    expect(await his.getByRole('link', { name: `New ${one}` }).count()).toBe(0);
    await look(his, path);
    await his.getByRole('link', { name: `The ${one}` }).click();
    await his.getByRole('heading', { name: `The ${one}` }).waitFor();
    expect(await his.getByRole('link', { name: 'Edit' }).count()).toBe(0);
    await look(his, one);
  });

  it('saves no record before the file that was picked is uploaded and selected', async () => {
    const page = await pages.as(pages.portal.alice, '/web/groups/new');
    const name = freshName('group');
    await page.getByLabel('Title').fill('A hasty one');
    await page.getByLabel('Name', { exact: true }).fill(name);
    const inFront = () => page.evaluate('document.activeElement.localName');
    const isHeld = (request: Request) => new URL(request.url()).pathname.startsWith('/files');
    const [upload, question] = [gate(), gate()];
    await page.route(/\/files(\/[\w-]+)?$/, async (route) => {
      await (route.request().method() === 'POST' ? upload : question).opened;
      await route.continue();
    });

    const uploading = page.waitForRequest((request) => isHeld(request) && request.method() === 'POST');
    await page.locator(PICKER).setInputFiles(picture);
    await uploading;
    await save(page);
    await expect.poll(inFront).toBe('file-field');
    await page.getByLabel('Title').focus();
    const asking = page.waitForRequest((request) => isHeld(request) && request.method() === 'GET');
    upload.open();
    await asking;
    await save(page);
    await expect.poll(inFront).toBe('file-field');

    question.open();
    await expect.poll(() => page.getByRole('combobox').locator('option:checked').innerText()).toBe('picture.png');
    await save(page);
    await page.getByRole('img', { name: 'Image of A hasty one' }).waitFor();
  });

  it('gives a user a picture and another name', async () => {
    const { bob } = pages.portal;
    const page = await pages.as(bob, '/web/users');
    await look(page, 'users');
    await page.getByRole('main').getByRole('link', { name: 'Bob Cratchit' }).click();
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Full name').fill('Robert Cratchit');
    await page.locator(PICKER).setInputFiles(picture);
    await expect.poll(() => page.getByRole('combobox').locator('option:checked').innerText()).toBe('picture.png');
    await save(page);

    await page.getByRole('img', { name: 'Picture of Robert Cratchit' }).waitFor();
    await look(page, 'user');
    await page.goto('/web/files');
    await page.getByText('Used by user Robert Cratchit').waitFor();
  });
});
