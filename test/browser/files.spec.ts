import { StorageRegistry } from 'nestjs-files/storage';
import { memoryStorage } from 'nestjs-files/storage/memory';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { freshName, pdf, png } from '../e2e/portal/samples.js';
import { findChromium } from './support/find-chromium.js';
import { look, Pages } from './support/pages.js';

const chromium = findChromium();
const PICKER = 'file-field input[type=file]';
const HOSTILE = '<img src=x onerror=alert(1)>.pdf';

interface Picked {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

const picked = (name: string, content: Uint8Array, mimeType = 'application/pdf'): Picked => ({
  name,
  mimeType,
  buffer: Buffer.from(content),
});

describe.skipIf(!chromium)('my files in a browser', () => {
  const pages = new Pages(chromium, { storage: memoryStorage({ maxSize: '1MiB' }) });
  const rowOf = (page: Page, name: string) => page.locator('.files li').filter({ hasText: name });
  const uploadOf = (page: Page, name: string) => page.locator('file-field li').filter({ hasText: name });

  /** What the storage has, files or not. */
  async function stored(): Promise<string[]> {
    const storage = pages.portal.app.get(StorageRegistry, { strict: false }).get('default');
    const locations: string[] = [];
    for await (const { location } of storage.list()) locations.push(location);
    return locations;
  }

  /** Uploads as over a slow line. */
  async function slowly(page: Page): Promise<{ end: () => Promise<void> }> {
    const session = await page.context().newCDPSession(page);
    const set = (uploadThroughput: number) =>
      session.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput,
      });
    // The largest file takes a hundred seconds, so that a busy machine is in time to cancel it.
    await set(10_000);
    return { end: async () => void (await set(-1)) };
  }

  const partOf = async (page: Page, name: string) =>
    Number(await uploadOf(page, name).getByRole('progressbar').getAttribute('value'));

  it('takes several, one after the other, shows how far each is, and forgets the one that is cancelled', async () => {
    const page = await pages.as(pages.portal.alice, '/web/files');
    const before = await stored();
    const line = await slowly(page);

    await page
      .locator(PICKER)
      .setInputFiles([
        picked('unwanted.pdf', pdf(1_000_000)),
        picked('first.pdf', pdf(200_000)),
        picked('picture.png', png, 'image/png'),
      ]);
    await expect.poll(() => partOf(page, 'unwanted.pdf')).toBeGreaterThan(0);
    await uploadOf(page, 'first.pdf').getByText('waiting').waitFor();
    await look(page, 'files-uploading');
    await page.getByRole('button', { name: 'Cancel: unwanted.pdf' }).click();
    await page.getByRole('status').filter({ hasText: 'unwanted.pdf: removed' }).waitFor({ state: 'attached' });
    await line.end();

    for (const name of ['first.pdf', 'picture.png']) await rowOf(page, name).waitFor();
    expect(await page.locator('file-field li').count()).toBe(0);
    await page.reload();
    await rowOf(page, 'first.pdf').waitFor();
    expect(await rowOf(page, 'unwanted.pdf').count()).toBe(0);
    // The picture has a thumbnail.
    await expect.poll(stored).toHaveLength(before.length + 3);
    await expect.poll(() => page.evaluate(`document.querySelector('img.thumbnail')?.naturalWidth`)).toBe(1);
    await look(page, 'files');
  });

  it('uploads dropped files', async () => {
    const page = await pages.as(pages.portal.alice, '/web/files');
    const dropped = await page.evaluateHandle(`(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['%PDF-1.7 one'], 'dropped-1.pdf', { type: 'application/pdf' }));
      transfer.items.add(new File(['%PDF-1.7 two'], 'dropped-2.pdf', { type: 'application/pdf' }));
      return transfer;
    })()`);
    const zone = page.getByRole('region', { name: 'Upload' }).locator('[part=drop]');

    await zone.dispatchEvent('dragover', { dataTransfer: dropped });
    expect(await zone.getAttribute('class')).toBe('over');
    await zone.dispatchEvent('drop', { dataTransfer: dropped });

    for (const name of ['dropped-1.pdf', 'dropped-2.pdf']) await rowOf(page, name).waitFor();
  });

  it('says why an upload is refused', async () => {
    const page = await pages.as(pages.portal.alice, '/web/files');

    await page.locator(PICKER).setInputFiles(picked('huge.pdf', pdf(1_200_000)));

    const problem = uploadOf(page, 'huge.pdf').getByText('larger than the 1048576 bytes');
    await problem.waitFor();
    await page.getByRole('button', { name: 'Cancel: huge.pdf' }).click();
    await problem.waitFor({ state: 'detached' });
  });

  it('shows hostile names as plain text', async () => {
    const { alice, mary } = pages.portal;
    const fileId = await alice.upload(pdf(), HOSTILE);
    await alice.post('/packages', {
      name: freshName('hostile'),
      title: HOSTILE,
      visibility: 'public',
      attachmentId: fileId,
    });
    const again = await alice.upload(pdf(), HOSTILE);

    const page = await pages.as(alice, '/web/files');
    const hers = ['/web/packages', '/web/packages/new', `/web/files/${again}`, '/web/files'];
    for (const [reader, path] of [
      [await pages.as(mary, '/web/manage'), '/web/manage'] as const,
      ...hers.map((each) => [page, each] as const),
    ]) {
      await reader.goto(path);
      await reader.getByText(HOSTILE).first().waitFor({ state: 'attached' });
      expect(await reader.locator('img[src="x"]').count()).toBe(0);
    }
    await rowOf(page, HOSTILE).first().getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByText(HOSTILE).waitFor();
    await look(page, 'files-delete');
  });

  it('renames and deletes with the keyboard alone', async () => {
    const { bob } = pages.portal;
    const fileId = await bob.upload(pdf(), 'draft.pdf');
    const page = await pages.as(bob, '/web/files');

    await page.getByRole('button', { name: 'Rename draft.pdf' }).press('Enter');
    await page.keyboard.type('final');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'final.pdf', exact: true }).waitFor();
    expect((await bob.get(`/files/${fileId}`)).body.name).toBe('final.pdf');
    await page.getByRole('button', { name: 'Rename final.pdf' }).press('Enter');
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Delete final.pdf' }).press('Enter');
    await page.keyboard.press('Escape');
    expect((await bob.get(`/files/${fileId}`)).status).toBe(200);
    await page.getByRole('button', { name: 'Delete final.pdf' }).press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('You have no files yet.').waitFor();
    expect((await bob.get(`/files/${fileId}`)).status).toBe(404);
  });

  it('tells who has a file, where it is used, whether it is pinned, and its history', async () => {
    const { alice } = pages.portal;
    const imageId = await alice.upload(png, 'logo.png', 'image/png');
    const { body: group } = await alice.post('/groups', { name: freshName('g'), title: 'Cartography', imageId });
    const page = await pages.as(alice, '/web/files');
    const row = rowOf(page, 'logo.png');

    await row.getByText('Pinned').waitFor();
    await row.getByRole('link', { name: 'logo.png', exact: true }).click();
    await page.getByRole('heading', { name: 'History' }).waitFor();
    const history = page.locator('.timeline li');
    expect(await history.count()).toBe(2);
    expect(await history.first().innerText()).toMatch(/^Given away by alice[^]*to group Cartography/);
    expect(await history.last().innerText()).toMatch(/^Uploaded by alice/);
    await look(page, 'file');
    await page.getByRole('button', { name: 'Unpin' }).click();
    await page.getByRole('button', { name: 'Pin', exact: true }).waitFor();
    expect(await history.first().innerText()).toMatch(/^Unpinned by alice/);
    await page.getByRole('definition').getByRole('link', { name: 'Cartography' }).click();
    await page.waitForURL(`**/web/groups/${group.id}`);
  });
});
