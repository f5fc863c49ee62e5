import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { findChromium } from './support/find-chromium.js';
import { Pages } from './support/pages.js';

const chromium = findChromium();
const picture = new Uint8Array(
  await sharp({ create: { width: 900, height: 600, channels: 3, background: 'teal' } })
    .png()
    .toBuffer(),
);
const LOADED = `document.querySelector('img.thumbnail')?.naturalWidth`;

describe.skipIf(!chromium)('a picture in a list, in a browser', () => {
  describe('of a portal with sharp', () => {
    const pages = new Pages(chromium);

    it('is its thumbnail, which the page waits for', async () => {
      const { alice } = pages.portal;
      const page = await pages.as(alice, '/web/packages');
      let asked = 0;
      // As if it took a while to make it.
      await page.route('**/thumbnail', async (route) => {
        if (++asked < 3) await route.fulfill({ status: 202, headers: { 'retry-after': '0' } });
        else await route.continue();
      });
      await alice.upload(picture, 'hare.png', 'image/png');
      await page.goto('/web/files');
      await expect.poll(() => page.evaluate(LOADED)).toBe(192);
      expect(asked).toBeGreaterThanOrEqual(3);
    });
  });

  describe('of a portal without sharp', () => {
    const pages = new Pages(chromium, { thumbnails: false });

    it('is the picture itself', async () => {
      const { alice } = pages.portal;
      await alice.upload(picture, 'hare.png', 'image/png');
      const page = await pages.as(alice, '/web/files');
      await expect.poll(() => page.evaluate(LOADED)).toBe(900);
    });
  });
});
