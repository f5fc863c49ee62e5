import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { PortalOptions } from '../../../sample/portal/portal.options.js';
import type { PortalClient } from '../../e2e/portal/portal-client.js';
import { startPortal } from '../../e2e/portal/start-portal.js';
import type { Portal } from '../../e2e/portal/start-portal.js';

const SCREENSHOTS = fileURLToPath(new URL('../../../screenshots/', import.meta.url));
const DESKTOP = { width: 1200, height: 800 };
const PHONE = { width: 375, height: 740 };
export const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The portal and a browser, for the tests of one file. */
export class Pages {
  #portal: Portal | undefined;
  #browser: Browser | undefined;
  #contexts: BrowserContext[] = [];
  /** What scripts threw, and what the policy for scripts, styles and images refused. */
  #faults: string[] = [];

  constructor(executablePath: string | undefined, options: PortalOptions = {}) {
    beforeAll(async () => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      [this.#portal, this.#browser] = await Promise.all([
        startPortal('express', options),
        chromium.launch({ ...(executablePath && { executablePath }), args: QUIET }),
      ]);
    }, 60_000);
    afterEach(async () => {
      await Promise.all(this.#contexts.map((context) => context.close()));
      const faults = this.#faults;
      [this.#contexts, this.#faults] = [[], []];
      if (faults.length > 0) throw new Error(`The scripts of the pages failed:\n${faults.join('\n')}`);
    });
    afterAll(async () => {
      await this.#browser?.close();
      await this.#portal?.close();
    });
  }

  get portal(): Portal {
    return this.#portal!;
  }

  /** A page of a browser of its own, where this person has logged in. */
  async as(person: PortalClient, path: string): Promise<Page> {
    const context = await this.#browser!.newContext({ baseURL: this.portal.url, viewport: DESKTOP, locale: 'en' });
    context.setDefaultTimeout(30_000);
    this.#contexts.push(context);
    if (person.token) {
      await context.addCookies([{ name: 'portal_session', value: person.token, url: this.portal.url }]);
    }
    const page = await context.newPage();
    page.on('pageerror', (error) => this.#faults.push(error.message));
    page.on('dialog', (dialog) => this.#faults.push(`dialog: ${dialog.message()}`));
    page.on('console', (message) => {
      const isAnswer = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isAnswer) this.#faults.push(message.text());
    });
    await page.goto(path);
    return page;
  }
}

/** Looks at the page as it is on a desktop, and on a phone, where nothing may be wider than the screen. */
export async function look(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  await page.setViewportSize(PHONE);
  await page.screenshot({ path: join(SCREENSHOTS, `${name}-phone.png`), fullPage: true });
  const width = await page.evaluate('document.documentElement.scrollWidth');
  await page.setViewportSize(DESKTOP);
  expect(width).toBe(PHONE.width);
}
