import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Body, Controller, Header, HttpCode, Inject, Module, Post, ValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsNotEmpty } from 'class-validator';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { ManagedFile } from 'nestjs-files/entities';
import type { Storage } from 'nestjs-files/storage';
import { fsStorage } from 'nestjs-files/storage/fs';
import { bucketServer } from '../support/bucket-server.js';
import { examplesNotRun } from '../support/doc-examples.js';
import { newDirectory } from '../support/files-directory.js';
import { startApp } from '../support/http-app.js';
import { findChromium } from './support/find-chromium.js';
import { servePages, TestBrowser } from './support/client-page.js';

const MIB = 1024 * 1024;
const chromium = findChromium();
const here = fileURLToPath(new URL('.', import.meta.url));
const recipe = (name: string) => new URL(`./recipes/${name}.recipe.ts`, import.meta.url).href;

@Entity()
class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column('uuid') attachmentId!: string;
}

class LetterDto {
  @IsNotEmpty() title!: string;
  @TransferOwnership('letter') attachmentId!: string;
}

@Controller('letters')
class LettersController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post() @WithTaskQueue() create(@Body() { title, attachmentId }: LetterDto): Promise<Letter> {
    return this.dataSource.getRepository(Letter).save({ title, attachmentId });
  }

  /** The result is the record, as the library needs it; a browser shows it as it is. */
  @Post('page') @WithTaskQueue() @HttpCode(200) @Header('content-type', 'text/html') page(
    @Body() { title, attachmentId }: LetterDto,
  ): Promise<Letter> {
    return this.dataSource.getRepository(Letter).save({ title, attachmentId });
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Letter])],
  controllers: [LettersController],
  providers: [{ provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, whitelist: true }) }],
})
class LettersModule {}

const fields = `<label>Title <input name="title" required></label>
  <label>Attachment <input type="file" data-id-in="attachmentId"></label>
  <input type="hidden" name="attachmentId">
  <button>Save</button>`;

const pages = {
  '/uppy': {
    html: '<input type="file" id="file" multiple><output id="result"></output>',
    script: `import Uppy from '@uppy/core';
      import { uploadWithFiles } from './recipes/uppy.recipe.js';
      const uppy = new Uppy();
      uploadWithFiles(uppy);
      window.told = [];
      uppy.on('upload-progress', (file, { bytesUploaded }) => window.told.push(bytesUploaded));
      document.getElementById('file').onchange = async ({ target }) => {
        uppy.addFiles([...target.files].map((data) => ({ name: data.name, type: data.type, data })));
        const { successful, failed } = await uppy.upload();
        const shown = [successful.map(({ response }) => response.body), failed.map(({ error }) => error)];
        document.getElementById('result').textContent = JSON.stringify(shown);
      };`,
  },
  '/uppy-tus': {
    html: '<input type="file" id="file" multiple><output id="result"></output>',
    script: `import Uppy from '@uppy/core';
      import { uploadWithTus } from './recipes/uppy-tus.recipe.js';
      const uppy = new Uppy();
      uploadWithTus(uppy);
      document.getElementById('file').onchange = async ({ target }) => {
        uppy.addFiles([...target.files].map((data) => ({ name: data.name, type: data.type, data })));
        const { successful } = await uppy.upload();
        document.getElementById('result').textContent = JSON.stringify(successful.map(({ meta }) => meta.fileId));
      };`,
  },
  '/react': {
    html: '<div id="root"></div>',
    script: `import { createElement as h } from 'react';
      import { createRoot } from 'react-dom/client';
      import { useLetterForm } from './recipes/react-hook-form.recipe.js';
      async function save(letter) {
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch('/letters', { method: 'POST', headers, body: JSON.stringify(letter) });
        document.title = answer.ok ? 'saved' : await answer.text();
      }
      function Form() {
        const { register, submit, formState: { errors } } = useLetterForm(save);
        return h('form', { onSubmit: submit },
          h('label', {}, 'Title', h('input', register('title'))),
          h('label', {}, 'Attachment', h('input', { type: 'file', ...register('attachment') })),
          h('p', { role: 'alert' }, errors.attachment?.message),
          h('button', {}, 'Save'));
      }
      createRoot(document.getElementById('root')).render(h(Form));`,
  },
  '/angular': {
    html: '<app-root></app-root>',
    script: `import '@angular/compiler';
      import { Component, provideZonelessChangeDetection, signal } from '@angular/core';
      import { bootstrapApplication } from '@angular/platform-browser';
      import { AttachmentComponent } from './recipes/angular.recipe.js';
      class Root { id = signal(''); }
      Component({
        selector: 'app-root',
        imports: [AttachmentComponent],
        template: '<app-attachment (uploaded)="id.set($event)" /><output>{{ id() }}</output>',
      })(Root);
      bootstrapApplication(Root, { providers: [provideZonelessChangeDetection()] });`,
  },
  '/plain': {
    html: `<form method="post" action="/letters/page">${fields}</form>`,
    script: `import './recipes/forms.recipe.js';`,
  },
  '/htmx': {
    html: `<form hx-post="/letters/page" hx-target="#result">${fields}</form><div id="result"></div>`,
    script: `import 'htmx.org'; import './recipes/forms.recipe.js';`,
  },
};

async function bundle(script: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: here, loader: 'js' },
    bundle: true,
    format: 'esm',
    write: false,
    // The recipes lie below a package.json that says that its own modules have no side effects.
    ignoreAnnotations: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    alias: { 'nestjs-files/client': fileURLToPath(new URL('../../lib/client/index.ts', import.meta.url)) },
  });
  return outputFiles[0]!.text;
}

async function htmlOf({ html, script }: { html: string; script: string }): Promise<string> {
  const code = (await bundle(script)).replaceAll('</script', '<\\/script');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Recipe</title>${html}<script type="module">${code}</script></html>`;
}

it('runs every example of docs/client.md', async () => {
  const recipes = ['uppy', 'uppy-tus', 'react-hook-form', 'angular', 'forms', 'attach'].map(recipe);
  expect(await examplesNotRun('client.md', ...recipes)).toEqual([]);
});

describe.skipIf(!chromium)('the recipes of docs/client.md in a browser', () => {
  const browser = new TestBrowser(chromium);

  async function open(path: keyof typeof pages, storage?: Storage) {
    const bucket = await bucketServer(2 * MIB);
    const html = await htmlOf(pages[path]);
    const app = await startApp({
      options: {
        storages: { default: storage ?? bucket.storage, other: fsStorage({ root: newDirectory() }) },
        actor: () => ({ type: 'user', id: 'ada' }),
      },
      imports: [LettersModule],
      prepare: (nest) => servePages(nest, { [path]: html }),
    });
    const page = await browser.open(app.url + path);
    const letters = () => app.dataSource.getRepository(Letter).find();
    const owners = async () =>
      (await app.dataSource.getRepository(ManagedFile).find()).map(({ name, ownerType }) => [name, ownerType]);
    return { ...app, page, bucket, letters, owners };
  }

  const pick = (page: Page, selector: string, name = 'a.bin', size = 10) =>
    page.locator(selector).setInputFiles({ name, mimeType: 'application/octet-stream', buffer: randomBytes(size) });

  it('uploads with Uppy: a small file in a form, a large one to the storage', async () => {
    const { page, bucket } = await open('/uppy');
    await page.locator('#file').setInputFiles([
      { name: 'small.bin', mimeType: 'application/octet-stream', buffer: randomBytes(10) },
      { name: 'large.bin', mimeType: 'application/octet-stream', buffer: randomBytes(7 * MIB) },
    ]);
    await page.locator('#result').filter({ hasText: '[' }).waitFor();
    const [successful, failed] = JSON.parse(await page.locator('#result').innerText()) as object[][];
    expect(successful).toMatchObject([
      { name: 'small.bin', ownerId: 'ada', size: 10 },
      { name: 'large.bin', ownerId: 'ada', size: 7 * MIB },
    ]);
    expect([failed, bucket.parts]).toEqual([[], [1, 2, 3, 4]]);
    expect(((await page.evaluate('window.told')) as number[]).at(-1)).toBe(7 * MIB);
  });

  it('uploads with Uppy and tus, and knows the ids', async () => {
    const { page, dataSource } = await open('/uppy-tus', fsStorage({ root: newDirectory() }));
    await page.locator('#file').setInputFiles([
      { name: 'one.bin', mimeType: 'application/octet-stream', buffer: randomBytes(10) },
      { name: 'two.bin', mimeType: 'application/octet-stream', buffer: randomBytes(7 * MIB) },
    ]);
    await page.locator('#result').filter({ hasText: '[' }).waitFor();
    const ids = JSON.parse(await page.locator('#result').innerText()) as string[];
    const files = await dataSource.getRepository(ManagedFile).find({ order: { name: 'ASC' } });
    expect(files.map(({ name, size }) => [name, size])).toEqual([
      ['one.bin', 10],
      ['two.bin', 7 * MIB],
    ]);
    expect(ids.toSorted()).toEqual(files.map(({ id }) => id).toSorted());
  });

  it('tells Uppy of a refusal', async () => {
    const { page } = await open('/uppy');
    await page.route('**/files', (route) =>
      route.fulfill({ status: 415, json: { code: 'FILES_FILE_TYPE_NOT_ACCEPTED', message: 'No such type here' } }),
    );
    await pick(page, '#file');
    await page.locator('#result').filter({ hasText: '[' }).waitFor();
    const [successful, failed] = JSON.parse(await page.locator('#result').innerText()) as unknown[][];
    expect(successful).toEqual([]);
    expect(failed).toEqual([expect.stringContaining('No such type here')]);
  });

  it('uploads with React Hook Form, and saves the record with the file', async () => {
    const { page, letters, owners } = await open('/react');
    await page.getByLabel('Title').fill('Dear Ada');
    await pick(page, 'input[type=file]');
    await page.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => page.title()).toBe('saved');
    expect(await letters()).toMatchObject([{ title: 'Dear Ada' }]);
    expect(await owners()).toEqual([['a.bin', 'letter']]);
  });

  it('shows the refusal at the field of React Hook Form, and saves nothing', async () => {
    const { page, letters } = await open('/react');
    await page.route('**/files', (route) => route.fulfill({ status: 413, json: { message: 'It is too large' } }));
    await page.getByLabel('Title').fill('Dear Ada');
    await pick(page, 'input[type=file]');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('It is too large').waitFor();
    expect(await letters()).toEqual([]);
  });

  it('uploads with a component of Angular, which emits the id, and shows the refusal', async () => {
    const { page, dataSource } = await open('/angular');
    await page.getByLabel('Attachment').waitFor();
    await pick(page, 'input[type=file]', 'large.bin', 7 * MIB);
    await expect.poll(() => page.locator('output').innerText()).not.toBe('');
    const { id } = await dataSource.getRepository(ManagedFile).findOneByOrFail({ name: 'large.bin' });
    expect(await page.locator('output').innerText()).toBe(id);
    expect(await page.locator('progress').getAttribute('value')).not.toBe('0');
    await page.route('**/files', (route) => route.fulfill({ status: 413, json: { message: 'It is too large' } }));
    await pick(page, 'input[type=file]');
    await page.getByRole('alert').getByText('It is too large').waitFor();
  });

  it.each(['/plain', '/htmx'] as const)('sends the id of the file with the form of %s', async (path) => {
    const { page, letters, owners } = await open(path);
    await page.getByLabel('Title').fill('Dear Ada');
    await pick(page, 'input[type=file]', 'large.bin', 7 * MIB);
    await expect.poll(() => page.locator('[name=attachmentId]').inputValue()).not.toBe('');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('"Dear Ada"').waitFor();
    expect(await letters()).toMatchObject([{ title: 'Dear Ada' }]);
    expect(await owners()).toEqual([['large.bin', 'letter']]);
    // Only htmx stays on the page.
    expect(await page.locator('form').count()).toBe(path === '/htmx' ? 1 : 0);
  });

  it('keeps a plain form from being sent without the file that was refused', async () => {
    const { page, letters } = await open('/plain');
    await page.route('**/files', (route) => route.fulfill({ status: 413, json: { message: 'It is too large' } }));
    await page.getByLabel('Title').fill('Dear Ada');
    await pick(page, 'input[type=file]');
    await expect
      .poll(() => page.evaluate("document.querySelector('[type=file]').validationMessage"))
      .toBe('It is too large');
    await page.getByRole('button', { name: 'Save' }).click();
    expect(await letters()).toEqual([]);
    expect(await page.locator('form').count()).toBe(1);
  });
});
