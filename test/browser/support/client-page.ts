import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { INestApplication } from '@nestjs/common';
import { transform } from 'esbuild';
import type { Request, Response } from 'express';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { QUIET } from './pages.js';

const LIB = new URL('../../../lib/client/', import.meta.url);
type Middleware = (request: Request, response: Response, next: () => void) => void;
type Routes = { use(path: string, handler: Middleware): void };

/** Serves the pages, by path, and the modules of the client one by one, as the package has them. */
export function servePages(
  app: INestApplication,
  pages: Readonly<Record<string, string>>,
  scripts: Readonly<Record<string, string>> = {},
): void {
  const routes = app.getHttpAdapter() as unknown as Routes;
  routes.use('/client', (request, response) => {
    const name = /^\/((?:field\/)?[\w-]+)\.js$/.exec(request.path)?.[1] ?? 'none';
    moduleOf(name).then(
      (code) => response.type('text/javascript').send(code),
      () => response.status(404).send(),
    );
  });
  const serve = (type: string, texts: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(texts))
      routes.use(path, (_, response) => void response.type(type).send(text));
  };
  serve('text/html', pages);
  serve('text/javascript', scripts);
}

async function moduleOf(name: string): Promise<string> {
  const source = await readFile(fileURLToPath(new URL(`${name}.ts`, LIB)), 'utf8');
  const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'es2022' });
  return code;
}

/** A browser for the tests of one file. What the scripts of its pages throw fails the test. */
export class TestBrowser {
  #browser: Browser | undefined;
  #contexts: BrowserContext[] = [];
  #faults: string[] = [];

  constructor(executablePath: string | undefined) {
    beforeAll(async () => {
      this.#browser = await chromium.launch({ ...(executablePath && { executablePath }), args: QUIET });
    }, 60_000);
    afterEach(async () => {
      await Promise.all(this.#contexts.map((context) => context.close()));
      const faults = this.#faults;
      [this.#contexts, this.#faults] = [[], []];
      if (faults.length > 0) throw new Error(`The scripts of the pages failed:\n${faults.join('\n')}`);
    });
    afterAll(() => this.#browser?.close());
  }

  /** A page of a browser of its own. */
  async open(url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const context = await this.#browser!.newContext(options);
    context.setDefaultTimeout(30_000);
    this.#contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.#faults.push(error.message));
    await page.goto(url);
    return page;
  }
}
