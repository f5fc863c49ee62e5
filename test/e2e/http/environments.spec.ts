import {
  ClassSerializerInterceptor,
  Controller,
  Post,
  Req,
  UploadedFile,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { VersioningType } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { FileInterceptor } from '@nestjs/platform-express';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import multipart from '@fastify/multipart';
import type {
  FastifyMultipartAttachFieldsToBodyOptions,
  FastifyMultipartOptions,
  MultipartFile,
} from '@fastify/multipart';
import { diskStorage } from 'multer';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { newDirectory } from '../../support/files-directory.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { BOUNDARY, FILE_PART, form, post } from '../../support/http-raw.js';

@Controller('own')
class OwnController {
  @Post('json')
  json(): string {
    return 'fine';
  }
}

async function expectUploads(app: HttpApp, path = '/files'): Promise<void> {
  const content = 'x'.repeat(2_000_000);
  const response = await app.fetch(path, { method: 'POST', user: 'anna', body: formWith(content) });
  expect(response.status).toBe(201);
  const { id } = (await response.json()) as { id: string };
  expect(await (await app.fetch(`${path}/${id}/content`, { user: 'anna' })).text()).toBe(content);
  expect((await app.fetch(`${path}/${id}`, { method: 'DELETE', user: 'anna' })).status).toBe(204);
}

/** What @fastify/multipart makes of a request. */
interface FormRequest {
  body?: { file?: MultipartFile | Buffer };
  file(): Promise<MultipartFile | undefined>;
}

async function expectReplaces(app: HttpApp): Promise<void> {
  const { id } = await uploadFile(app, 'anna', formWith('{"a":1}', 'a.json'));
  const headers = { 'content-type': 'application/octet-stream' };
  const response = await app.fetch(`/files/${id}/content`, { method: 'PUT', user: 'anna', headers, body: '{"a":2}' });
  expect([response.status, await response.json()]).toMatchObject([200, { id, size: 7 }]);
  expect(await (await app.fetch(`/files/${id}/content`, { user: 'anna' })).text()).toBe('{"a":2}');
}

async function expectJson(app: HttpApp): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await app.fetch('/own/json', { method: 'POST', headers, body: '{"a":1}' });
  expect([response.status, await response.text()]).toEqual([201, 'fine']);
}

describe.each(PLATFORMS)('beside what an application does on %s', (platform) => {
  it.each<[string, (app: INestApplication) => void]>([
    [
      'global pipes and interceptors',
      (app) => {
        const strict = { whitelist: true, forbidNonWhitelisted: true, transform: true, validateCustomDecorators: true };
        app.useGlobalPipes(new ValidationPipe(strict));
        app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector)));
      },
    ],
    ['CORS', (app) => app.enableCors()],
  ])('works with %s', async (_, prepare) => {
    const app = await startApp({ platform, prepare, controllers: [OwnController] });
    await expectUploads(app);
    await expectJson(app);
  });

  it('works below a global prefix and with versioned routes', async () => {
    const app = await startApp({
      platform,
      prepare: (nest) => void nest.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI }),
    });
    await expectUploads(app, '/api/files');
  });
});

describe('beside what an application does on Express', () => {
  it.each([
    ['in memory', {}],
    ['on disk', { storage: diskStorage({ destination: newDirectory() }) }],
  ])('works next to routes with multer %s, which keep their forms', async (_, options) => {
    @Controller('own')
    class Multer {
      @Post('form')
      @UseInterceptors(FileInterceptor('file', options))
      take(@UploadedFile() file: { size: number }): number {
        return file.size;
      }
    }
    const app = await startApp({ controllers: [Multer] });
    await expectUploads(app);
    await expectReplaces(app);
    const response = await app.fetch('/own/form', { method: 'POST', body: formWith('hello') });
    expect([response.status, await response.text()]).toEqual([201, '5']);
    await expectUploads(app);
  });

  it('works next to parsers for every kind of body', async () => {
    const app = await startApp({
      controllers: [OwnController],
      prepare: (nest) => {
        const express = nest as NestExpressApplication;
        express.useBodyParser('json').useBodyParser('urlencoded', { extended: true });
        express.useBodyParser('text', { type: 'text/*' });
      },
    });
    await expectUploads(app);
    await expectReplaces(app);
    await expectJson(app);
  });

  it('says so when a parser has read the new content of a file', async () => {
    const app = await startApp();
    const { id } = await uploadFile(app, 'anna', formWith('{"a":1}', 'a.json'));
    await app.dataSource.getRepository(ManagedFile).update(id, { contentType: 'application/json' });
    const headers = { 'content-type': 'application/json' };
    const response = await app.fetch(`/files/${id}/content`, { method: 'PUT', user: 'anna', headers, body: '{"a":2}' });
    const answer = (await response.json()) as { code: string; message: string };
    expect([response.status, answer.code]).toEqual([400, 'FILES_UPLOAD_MALFORMED']);
    expect(answer.message).toContain('Send it as application/octet-stream');
  });

  it('says so when a middleware has read the body', async () => {
    const app = await startApp({
      prepare: (nest) =>
        void nest.use(
          (request: IncomingMessage, _: unknown, next: () => void) => void text(request).then(() => next()),
        ),
    });
    const answer = await post(app, form(FILE_PART));
    expect(answer).toMatchObject({ status: 400, body: { code: 'FILES_UPLOAD_MALFORMED' } });
    expect(answer.body.message).toContain('a middleware of the application had already read its body');
  });

  it.each([
    ['a form', '/files', 'POST', form(FILE_PART), `multipart/form-data; boundary=${BOUNDARY}`],
    ['new content', '/content', 'PUT', '{"a":2}', 'application/octet-stream'],
  ])('refuses %s that a middleware has begun to read', async (_, path, method, body, contentType) => {
    let isMeddling = false;
    const app = await startApp({
      prepare: (nest) =>
        void nest.use((request: IncomingMessage, _response: unknown, next: () => void) => {
          if (!isMeddling) return next();
          request.once('readable', () => {
            request.read(1);
            next();
          });
        }),
    });
    const { id } = await uploadFile(app, 'anna', formWith('{"a":1}', 'a.json'));
    isMeddling = true;
    const url = method === 'PUT' ? `/files/${id}${path}` : path;
    const response = await app.fetch(url, { method, user: 'anna', body, headers: { 'content-type': contentType } });
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'FILES_UPLOAD_MALFORMED' }]);
    expect(await app.dataSource.getRepository(ManagedFile).find()).toMatchObject([{ id, size: 7 }]);
  });
});

describe('beside what an application does on Fastify', () => {
  it.each<[string, FastifyMultipartOptions | FastifyMultipartAttachFieldsToBodyOptions]>([
    ['hands out parts', {}],
    ['attaches fields to the body', { attachFieldsToBody: true }],
    ['attaches their values to the body', { attachFieldsToBody: 'keyValues' }],
  ])('works next to @fastify/multipart that %s, which keeps its routes', async (_, options) => {
    @Controller('own')
    class Parts {
      @Post('form')
      async take(@Req() request: FormRequest): Promise<number> {
        const file = request.body?.file ?? (await request.file());
        return Buffer.isBuffer(file) ? file.length : ((await file?.toBuffer())?.length ?? 0);
      }
    }
    const app = await startApp({
      platform: 'fastify',
      controllers: [Parts, OwnController],
      prepare: async (nest) => {
        await (nest as NestFastifyApplication).getHttpAdapter().getInstance().register(multipart, options);
      },
    });
    await expectUploads(app);
    await expectReplaces(app);
    await expectJson(app);
    const response = await app.fetch('/own/form', { method: 'POST', body: formWith('hello') });
    expect([response.status, await response.text()]).toEqual([201, '5']);
    await expectUploads(app);
  });

  it('works with a parser for everything, which keeps its routes', async () => {
    const app = await startApp({
      platform: 'fastify',
      controllers: [OwnController],
      prepare: (nest) => {
        const fastify = (nest as NestFastifyApplication).getHttpAdapter().getInstance();
        fastify.addContentTypeParser(
          '*',
          (_request, payload, done) => void text(payload).then((body) => done(null, body)),
        );
      },
    });
    await expectUploads(app);
    await expectJson(app);
    const response = await app.fetch('/own/json', {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: 'a,b',
    });
    expect(response.status).toBe(201);
  });

  it('works with a parser for forms that attaches fields in a hook', async () => {
    const bodies: unknown[] = [];
    const app = await startApp({
      platform: 'fastify',
      controllers: [OwnController],
      prepare: (nest) => {
        const fastify = (nest as NestFastifyApplication).getHttpAdapter().getInstance();
        // What @fastify/multipart does with `attachFieldsToBody`.
        fastify.addContentTypeParser('multipart/form-data', (request, _payload, done) => {
          Object.assign(request, { isForm: true });
          done(null);
        });
        fastify.addHook('preValidation', async (request) => {
          if ((request as { isForm?: boolean }).isForm) bodies.push(await text(request.raw));
        });
      },
    });
    await expectUploads(app);
    expect(bodies).toEqual([]);
    expect((await app.fetch('/own/json', { method: 'POST', body: formWith('hello') })).status).toBe(201);
    expect(bodies).toHaveLength(1);
  });

  it('works with a small body limit, and shows the handlers all headers', async () => {
    const seen: unknown[] = [];
    const app = await startApp({
      adapter: new FastifyAdapter({ bodyLimit: 100 }),
      options: {
        actor: (context) => {
          const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
          seen.push(headers['content-type']);
          return { type: 'user', id: 'anna' };
        },
      },
    });
    await expectUploads(app);
    await post(app, form(FILE_PART));
    expect(seen.at(-1)).toBe(`multipart/form-data; boundary=${BOUNDARY}`);
  });
});
