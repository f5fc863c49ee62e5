import { Readable } from 'node:stream';
import { Body, Controller, Inject, Injectable, Logger, Patch, Post } from '@nestjs/common';
import type { CanActivate } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Type as TransformType } from 'class-transformer';
import { IsOptional, IsString, ValidateIf, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileUsage } from '../../../lib/ownership/quotas/file-usage.entity.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { StorageRegistry } from '../../../lib/storage/storage-registry.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { UploadAs } from '../../../lib/validation/upload-as.constraint.js';
import type { UploadAsOptions } from '../../../lib/validation/upload-as.constraint.js';
import { actionApp, actionForm, Gallery, textFile } from '../../support/action-app.js';
import type { ActionApp } from '../../support/action-app.js';
import { PLATFORMS } from '../../support/http-app.js';
import { BOUNDARY, form, part } from '../../support/http-raw.js';

afterEach(() => vi.restoreAllMocks());

const NOTHING = { galleries: 0, files: 0, intents: 0, stored: 0 };
const TITLE = part('name="title"', 'Sea');
const file = (name: string, content = 'hello', filename = 'a.txt') =>
  part(`name="${name}"; filename="${filename}"`, content);
const text = (name: string, value = 'x') => part(`name="${name}"`, value);
const repeat = (count: number, make: (at: number) => string) => Array.from({ length: count }, (_, at) => make(at));

async function sendRaw(app: ActionApp, ...parts: string[]) {
  const response = await app.fetch('/galleries', {
    method: 'POST',
    user: 'anna',
    body: form(...parts),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** What is wrong with a form, how it is answered, and the form. */
const WRONG: [string, number, string | RegExp, string[]][] = [
  ['a file in a field of texts', 400, 'FILES_UPLOAD_MALFORMED', [file('title')]],
  ['a file in a field that is not there', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('other')]],
  ['a file inside of a field that takes one', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('coverId[0]')]],
  ['a file below a nested list', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('pictures[0][other]')]],
  ['a second file where one is expected', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('coverId'), file('coverId')]],
  ['a list where one file is expected', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('coverId[]')]],
  [
    'a file without a name',
    400,
    'FILES_FILE_NAME_INVALID',
    [TITLE, part('name="coverId"; filename=""', 'hello', 'Content-Type: application/octet-stream')],
  ],
  ['a field without a name', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('')]],
  ['a name that is not closed', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('a[b')]],
  ['a name with an empty step', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('a[][b]')]],
  ['a way to the prototype', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('__proto__[x]')]],
  ['a nested way to it', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('a[constructor][prototype][x]')]],
  ['a value that is an object', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('a'), text('a[b]')]],
  ['an object that is a value', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text('a.b'), text('a')]],
  ['deep names', 400, 'FILES_UPLOAD_MALFORMED', [TITLE, file('images'), text(`a${'[b]'.repeat(17)}`)]],
  ['many files', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', [TITLE, ...repeat(21, () => file('images'))]],
  ['many fields', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', [file('images'), ...repeat(201, (at) => text(`f${at}`))]],
  ['a long field', 413, 'FILES_UPLOAD_LIMIT_EXCEEDED', [file('images'), text('title', 'x'.repeat(70_000))]],
  [
    'long fields',
    413,
    'FILES_UPLOAD_LIMIT_EXCEEDED',
    [file('images'), ...repeat(18, (at) => text(`f${at}`, 'x'.repeat(60_000)))],
  ],
  [
    'a file that is larger than the storage takes',
    413,
    'FILES_FILE_TOO_LARGE',
    [TITLE, file('images', 'x'.repeat(5_000))],
  ],
  ['a type that the storage does not take', 415, 'FILES_FILE_TYPE_NOT_ACCEPTED', [TITLE, file('images', '%PDF-1.7\n')]],
  ['a quota', 413, 'FILES_QUOTA_EXCEEDED', [TITLE, file('images'), file('images'), file('images')]],
  [
    'a size that the field does not take',
    400,
    /coverId: File must not be larger than 1kB/,
    [TITLE, file('coverId', 'x'.repeat(1_001))],
  ],
  [
    'a type that the field does not take',
    400,
    /coverId: File type must be one of text/,
    [TITLE, file('coverId', '{}\u0000')],
  ],
  ['one field that is wrong', 400, /title/, [file('coverId'), file('images')]],
  [
    'a field that the DTO does not have',
    400,
    /property other should not exist/,
    [TITLE, file('coverId'), text('other')],
  ],
];

describe.each(PLATFORMS)('a form that is refused, on %s', (platform) => {
  it('saves nothing, does not reach the handler, and lets the next request be served', async () => {
    const app = await actionApp({
      platform,
      limits: { maxSize: 4_000, acceptedTypes: ['text', 'octet-stream'] },
      options: { quotas: { gallery: { count: 2 } } },
    });
    let handled = 0;
    app.afterwards.run = () => void handled++;
    for (const [what, status, answer, parts] of WRONG) {
      const { body, ...answered } = await sendRaw(app, ...parts);
      expect(answered.status, `${what}: ${JSON.stringify(body)}`).toBe(status);
      if (typeof answer === 'string') expect(body['code'], what).toBe(answer);
      else expect(String(body['message']), what).toMatch(answer);
      expect(await app.counts(), what).toEqual(NOTHING);
      expect(handled, what).toBe(what === 'a quota' || handled > 0 ? 1 : 0);
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    const unchosen = part('name="coverId"; filename=""', '', 'Content-Type: application/octet-stream');
    const { status, body } = await sendRaw(app, TITLE, unchosen, file('images'));
    expect([status, body]).toMatchObject([201, { coverId: null, images: [expect.any(String)] }]);
  });

  it.each([
    [64 * 1024, 201],
    [64 * 1024 + 1, 413],
  ])('answers a field of %i bytes with %i', async (size, status) => {
    const app = await actionApp({ platform });
    expect((await sendRaw(app, text('title', 'x'.repeat(size)), file('coverId'))).status).toBe(status);
  });

  it('writes no more of a file than an owner of its type may have', async () => {
    const app = await actionApp({ platform, options: { quotas: { gallery: { bytes: 200_000 } } } });
    const storage = app.app.get(StorageRegistry).get('default');
    let written = 0;
    const write = storage.write.bind(storage);
    storage.write = (location, content) => {
      async function* counted() {
        for await (const chunk of content as AsyncIterable<Buffer>) {
          written += chunk.length;
          yield chunk;
        }
      }
      return write(location, Readable.from(counted()));
    };
    const form = actionForm([
      ['title', 'Sea'],
      ['coverId', textFile('x'.repeat(8_000_000), 'waves.txt')],
    ]);
    expect(await app.send('/galleries', form)).toMatchObject({ status: 413, body: { code: 'FILES_QUOTA_EXCEEDED' } });
    expect(written).toBeLessThanOrEqual(200_000);
    expect(await app.counts()).toEqual(NOTHING);
  });

  it.each([
    ['the handler saves', 'coverId', 'counted before'],
    ['the handler saves', 'coverId', 'not counted yet'],
    ['the library writes', 'cover', 'counted before'],
    ['the library writes', 'cover', 'not counted yet'],
  ])('takes a replacement into a full quota, in a field that %s as %s, of an owner %s', async (_, field, counted) => {
    class Dto {
      @IsString() title!: string;
      @IsOptional() @UploadAs('gallery') coverId?: string;
      @IsOptional() @UploadAs('gallery', { field: 'coverId' }) cover?: string;
    }
    @Controller('galleries')
    class Galleries {
      constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}
      @Post()
      @WithTaskQueue()
      create(@Body() { title, coverId }: Dto) {
        return this.dataSource.getRepository(Gallery).save({ title, ...(coverId !== undefined && { coverId }) });
      }
      @Patch()
      @WithTaskQueue()
      replace(@Body() { title, coverId }: Dto) {
        return this.dataSource.getRepository(Gallery).save({ id: 1, title, ...(coverId !== undefined && { coverId }) });
      }
    }
    const quotas = { gallery: { bytes: 10, count: 1 } };
    const app = await actionApp({ platform, options: { quotas }, controllers: [Galleries] });
    const usages = app.dataSource.getRepository(FileUsage);
    const send = (method: string, content: string) => {
      const form = actionForm([
        ['title', 'Sea'],
        [field, textFile(content)],
      ]);
      return app.send('/galleries', form, method);
    };
    expect((await send('POST', 'x'.repeat(8))).status).toBe(201);
    if (counted === 'not counted yet') await usages.clear();
    expect(await send('PATCH', 'y'.repeat(9))).toMatchObject({ status: 200 });
    const [kept, ...others] = await app.files();
    expect([kept, others]).toMatchObject([{ size: 9, ownerType: 'gallery', ownerId: '1' }, []]);
    expect(await usages.find()).toMatchObject([{ ownerType: 'gallery', ownerId: '1', bytes: 9, count: 1 }]);
    // The former file stays if the new one does not fit.
    expect(await send('PATCH', 'z'.repeat(11))).toMatchObject({ status: 413, body: { code: 'FILES_QUOTA_EXCEEDED' } });
    expect(await app.files()).toMatchObject([{ id: kept?.id }]);
    expect(await app.counts()).toMatchObject({ files: 1, intents: 0, stored: 1 });
  });

  it('reads nothing that a guard refuses', async () => {
    @Injectable()
    class Nobody implements CanActivate {
      canActivate = () => false;
    }
    const app = await actionApp({ platform, providers: [{ provide: APP_GUARD, useClass: Nobody }] });
    expect((await sendRaw(app, TITLE, file('coverId'))).status).toBe(403);
    expect(await app.counts()).toEqual(NOTHING);
  });

  it('keeps no bytes where no pipe validated the field', async () => {
    class Dto {
      @IsString() title!: string;
      @ValidateIf(({ title }: Dto) => title === 'Sun') @UploadAs('gallery') coverId?: string;
    }
    @Controller('galleries')
    class Galleries {
      @Post()
      @WithTaskQueue()
      create(@Body() dto: Dto) {
        return { id: 1, ...dto };
      }
    }
    for (const pipe of [null, {}]) {
      const app = await actionApp({ platform, pipe, controllers: [Galleries] });
      expect(await sendRaw(app, TITLE, file('coverId'))).toMatchObject({
        status: 400,
        body: { code: 'FILES_UPLOAD_NOT_TAKEN' },
      });
      expect(await app.counts()).toEqual(NOTHING);
    }
  });
});

describe('the boot', () => {
  function controllerWith(options: UploadAsOptions, list = false) {
    class Dto {
      @IsOptional() coverId?: string;
      @IsOptional() images?: string[];
    }
    const property = list ? 'images' : 'coverId';
    UploadAs('gallery', options)(Dto.prototype, property);
    @Controller('galleries')
    class Galleries {
      @Post()
      @WithTaskQueue()
      create(@Body() dto: Dto) {
        return dto;
      }
    }
    return [Galleries];
  }

  it.each([
    [{ storage: 'other' }, false, /Dto\.coverId: no storage is named "other"/],
    [{ field: 'nothing' }, false, /no class with @OwnsFiles\('gallery'\) has a column and property "nothing"/],
    [{ field: 'coverId' }, true, /takes several files, but "coverId" holds one value/],
  ])('refuses %j', async (options, list, message) => {
    const started = actionApp({ controllers: controllerWith(options, list) });
    await expect(started).rejects.toMatchObject({
      code: 'FILES_DECORATION_INVALID',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuses a permanent link that leads nowhere', async () => {
    const started = actionApp({ controllers: controllerWith({ attachAs: 'permanentLink' }), options: { http: false } });
    await expect(started).rejects.toThrow('the option http leaves out the route');
  });

  it('refuses a name that would be another storage for another class', async () => {
    class Item {
      @IsString() kind!: string;
    }
    class Photo extends Item {
      @UploadAs('picture', { storage: 'public' }) fileId!: string;
    }
    class Contract extends Item {
      @UploadAs('picture') fileId!: string;
    }
    const subTypes = [Photo, Contract].map((value) => ({ value, name: value.name }));
    class Dto {
      @ValidateNested({ each: true })
      @TransformType(() => Item, { discriminator: { property: 'kind', subTypes } })
      items!: Item[];
    }
    @Controller('galleries')
    class Galleries {
      @Post()
      @WithTaskQueue()
      create(@Body() dto: Dto) {
        return dto;
      }
    }
    const storages = { default: memoryStorage(), public: memoryStorage() };
    const started = actionApp({ controllers: [Galleries], options: { storages } });
    await expect(started).rejects.toThrow(
      '@UploadAs() on Photo.fileId: a file for it would go to storage "public", or with Contract.fileId to "default".',
    );
  });

  it.each([{ attachAs: 'name' }, { field: '' }, { idField: [] }, { allow: true }])('refuses %j', (options) => {
    expect(() => controllerWith(options as UploadAsOptions)).toThrow(
      expect.objectContaining({ code: 'FILES_DECORATION_INVALID' }) as Error,
    );
  });

  it('warns about a route without a unit of work', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    class Dto {
      @IsOptional() @UploadAs('gallery') coverId?: string;
    }
    @Controller('galleries')
    class Galleries {
      @Post() create(@Body() dto: Dto) {
        return dto;
      }
    }
    await actionApp({ controllers: [Galleries] });
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/Galleries\.create takes a body with @UploadAs\(\)/));
  });

  it('tells OpenAPI which fields are files', async () => {
    const app = await actionApp();
    const { paths, components } = SwaggerModule.createDocument(app.app, new DocumentBuilder().build());
    expect(paths['/galleries']?.post?.requestBody).toMatchObject({
      content: { 'multipart/form-data': {}, 'application/json': {} },
    });
    const described = components?.schemas?.['GalleryDto'];
    expect(described).not.toHaveProperty('required');
    expect(described).toMatchObject({
      properties: {
        coverId: { type: 'string', format: 'binary' },
        images: { type: 'array', items: { type: 'string', format: 'binary' } },
      },
    });
  });
});

it('works without the routes of the files', async () => {
  const app = await actionApp({
    platform: 'fastify',
    options: { http: false },
    controllers: (() => {
      class Dto {
        @IsString() title!: string;
        @UploadAs('gallery') coverId!: string;
      }
      @Controller('galleries')
      class Galleries {
        @Post()
        @WithTaskQueue()
        create(@Body() { title, coverId }: Dto) {
          return { id: title, coverId };
        }
      }
      return [Galleries];
    })(),
  });
  const answer = await app.send(
    '/galleries',
    actionForm([
      ['title', '1'],
      ['coverId', textFile('a')],
    ]),
  );
  // The record is not there.
  expect([answer.status, answer.body]).toMatchObject([422, { code: 'FILES_OWNER_NOT_FOUND' }]);
  await app.dataSource.query(`INSERT INTO gallery (id, title, version) VALUES (1, 'x', 1)`);
  const again = await app.send(
    '/galleries',
    actionForm([
      ['title', '1'],
      ['coverId', textFile('a')],
    ]),
  );
  expect([again.status, again.body]).toMatchObject([201, { coverId: (await app.files())[0]?.id }]);
});
