import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { freshName, pdf } from '../e2e/portal/samples.js';
import { findChromium } from './support/find-chromium.js';
import { look, Pages } from './support/pages.js';

const chromium = findChromium();

describe.skipIf(!chromium)('the story of the promise in a browser', () => {
  const pages = new Pages(chromium);

  it('saves a record if and only if the file that it names is its own', async () => {
    const { alice, bob } = pages.portal;
    const [content, taken, name] = [pdf(), freshName('taken'), freshName('report')];
    await alice.post('/packages', { name: taken, title: 'Taken' });

    // Alice uploads a report. It is hers, and Bob cannot see it.
    const hers = await pages.as(alice, '/web/files');
    await hers.locator('file-field input[type=file]').setInputFiles({
      name: 'Yearly report.pdf',
      mimeType: 'application/pdf',
      buffer: Buffer.from(content),
    });
    await hers.getByRole('link', { name: 'Yearly report.pdf', exact: true }).click();
    await hers.getByRole('heading', { name: 'Yearly report.pdf' }).waitFor();
    const fileUrl = hers.url();
    const fileId = fileUrl.split('/').at(-1)!;
    const his = await pages.as(bob, fileUrl);
    await his.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    expect((await bob.download(fileId)).status).toBe(404);

    // A save that fails shows why, beside the field and above the form, and the file is still hers.
    await hers.goto('/web/packages/new');
    await hers.getByLabel('Name', { exact: true }).fill(name);
    await hers.getByLabel('Everybody').check();
    await hers.getByLabel('Attachment').selectOption({ label: 'Yearly report.pdf' });
    await hers.getByRole('button', { name: 'Save' }).click();
    const problem = hers.getByText('Must be longer than or equal to 1 characters');
    await problem.waitFor();
    expect(await hers.getByLabel('Title').getAttribute('aria-invalid')).toBe('true');
    expect(await hers.getByRole('alert').filter({ hasText: 'It was not saved.' }).innerText()).toContain(
      'Still yours: Yearly report.pdf',
    );
    await look(hers, 'story-refused');
    await hers.getByLabel('Title').fill('Yearly report');
    await hers.getByLabel('Name', { exact: true }).fill(taken);
    await hers.getByRole('button', { name: 'Save' }).click();
    await hers.getByText('The name is taken.').waitFor();
    await hers.getByText('Still yours: Yearly report.pdf').waitFor();
    expect((await alice.get(`/files/${fileId}`)).body).toMatchObject({ ownerType: 'user', ownerId: alice.id });
    expect((await bob.download(fileId)).status).toBe(404);

    // She saves it. In that commit the file is the package's, and Bob downloads the same bytes.
    await hers.getByLabel('Name', { exact: true }).fill(name);
    await hers.getByRole('button', { name: 'Save' }).click();
    await hers.getByRole('link', { name: 'Download Yearly report.pdf' }).waitFor();
    await his.goto('/web/packages');
    await his.getByRole('link', { name: 'Yearly report', exact: true }).click();
    const [download] = await Promise.all([
      his.waitForEvent('download'),
      his.getByRole('link', { name: 'Download Yearly report.pdf' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('Yearly report.pdf');
    expect(new Uint8Array(await readFile(await download.path()))).toEqual(content);
    await look(his, 'story-download');

    // The history tells how it came there.
    await hers.goto(fileUrl);
    expect(await hers.getByRole('listitem').first().innerText()).toMatch(
      /^Given away by alice[^]*from user Alice Liddell to package Yearly report/,
    );
  });
});
