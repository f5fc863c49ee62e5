import { StandardSchemaValidationPipe } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { FilesService } from '../../../lib/files/files.service.js';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { Package, Resource } from '../../support/ownership-app.js';
import { handler, SchemaPackagesController } from '../../support/schema-app.js';

afterEach(() => {
  handler.before = async () => undefined;
  handler.after = () => undefined;
});

const KINDS = [
  { name: 'Zod', path: '/zod', transform: true },
  { name: 'Zod, not transformed', path: '/zod', transform: false },
  { name: 'Valibot', path: '/valibot', transform: true },
];

describe.each(PLATFORMS)('@Body({ schema }) on %s', (platform) => {
  async function open({ transform = true } = {}) {
    const app = await startApp({
      platform,
      controllers: [SchemaPackagesController],
      imports: [TypeOrmModule.forFeature([Package, Resource])],
      prepare: (application) => void application.useGlobalPipes(new StandardSchemaValidationPipe({ transform })),
    });
    const files = app.app.get(FilesService);
    const rows = app.dataSource.getRepository(ManagedFile);
    return {
      app,
      files,
      file: async (content = '%PDF-1.7\n') => {
        const made = await files.create(Buffer.from(content), { name: 'a', owner: { type: 'user', id: 'ada' } });
        return made.id;
      },
      ownerOf: async (id: string) => {
        const { ownerType, ownerId, pinned } = await rows.findOneByOrFail({ id });
        return [ownerType, ownerId, pinned];
      },
      packages: () => app.dataSource.getRepository(Package).count(),
      send: (path: string, body: unknown) => post(app, path, body),
    };
  }

  it.each(KINDS)('gives files to the saved records, in the same commit: $name', async ({ path, transform }) => {
    const { send, file, ownerOf, files } = await open({ transform });
    const [a, b, c] = [await file(), await file(), await file()];
    const { status, body } = await send(path, {
      title: ' x ',
      attachmentId: a,
      resources: [{ fileId: b }, { fileId: c }],
    });
    expect(status).toBe(201);
    expect(body['title']).toBe(transform ? 'x' : ' x ');
    const [first, second] = body['resources'] as { id: number }[];
    expect(await ownerOf(a)).toEqual(['package', String(body['id']), true]);
    expect(await ownerOf(b)).toEqual(['resource', String(first?.id), true]);
    expect(await ownerOf(c)).toEqual(['resource', String(second?.id), true]);
    expect(await files.history(b)).toMatchObject([{ action: 'create' }, { action: 'transfer', actorId: 'ada' }]);
  });

  it('changes nothing when the handler fails', async () => {
    const { send, file, ownerOf, packages } = await open();
    const a = await file();
    handler.after = () => {
      throw new Error('after the save');
    };
    expect((await send('/zod', { title: 'x', attachmentId: a })).status).toBe(500);
    expect(await ownerOf(a)).toEqual(['user', 'ada', false]);
    expect(await packages()).toBe(0);
  });

  it('answers 400 with the paths of the fields, like other issues of the schema', async () => {
    const { send, file, packages } = await open();
    const [text, missing] = [await file('words'), uuidV7()];
    const problem = (field: string, code: string, what: string) => ({ field, code, message: `${field}: ${what}` });
    const problems = [
      problem('attachmentId', 'FILE_TYPE', 'File type must be one of pdf'),
      problem('resources.1.fileId', 'FILE_UNAVAILABLE', 'The file does not exist, or you may not use it'),
    ];
    for (const path of ['/zod', '/valibot']) {
      const sent = { title: 'x', attachmentId: text, resources: [{ fileId: await file() }, { fileId: missing }] };
      expect(await send(path, sent)).toEqual({
        status: 400,
        body: {
          statusCode: 400,
          code: 'FILES_VALIDATION_FAILED',
          error: 'Bad Request',
          message: problems.map(({ message }) => message),
          problems,
        },
      });
    }
    const misshapen = await send('/zod', { title: 1, attachmentId: text });
    expect(misshapen.body['message']).toEqual([expect.stringMatching(/^title: /)]);
    expect(await packages()).toBe(0);
  });

  it('answers 409 when the file changed between the check and the transfer', async () => {
    const { send, file, files, ownerOf, packages } = await open();
    const a = await file();
    handler.before = () => files.transferOwnership(a, { ownerType: 'user', ownerId: 'bob' });
    expect(await send('/zod', { title: 'x', attachmentId: a })).toMatchObject({
      status: 409,
      body: { code: 'FILES_FILE_CHANGED' },
    });
    expect(await ownerOf(a)).toEqual(['user', 'ada', false]);
    expect(await packages()).toBe(0);
  });

  it('gives a file that two requests want at once to one of them', async () => {
    const { send, file, ownerOf, packages } = await open();
    const a = await file();
    const answers = await Promise.all(['x', 'y'].map((title) => send('/zod', { title, attachmentId: a })));
    const [won, ...others] = answers.toSorted((one, other) => one.status - other.status);
    expect([won?.status, others.map(({ status }) => status)]).toEqual([201, [expect.toBeOneOf([400, 409])]]);
    expect(await ownerOf(a)).toEqual(['package', String(won?.body['id']), true]);
    expect(await packages()).toBe(1);
  });

  it('follows bind() and owner(), and saves nothing when nothing tells the owner', async () => {
    const { send, file, ownerOf, packages } = await open();
    const [a, b, c, d] = [await file(), await file(), await file(), await file()];
    expect((await send('/bound', { fileIds: [a, b] })).status).toBe(201);
    expect([await ownerOf(a), await ownerOf(b)]).toEqual(Array(2).fill(['package', '1', true]));
    const items = [
      { name: 'first', fileId: c },
      { name: 'second', fileId: d },
    ];
    expect((await send('/owned', { items })).status).toBe(201);
    expect([await ownerOf(c), await ownerOf(d)]).toEqual([
      ['resource', '70', true],
      ['resource', '71', true],
    ]);
    const e = await file();
    const { status, body } = await send('/hidden', { title: 'x', resources: [{ fileId: e }] });
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect([await packages(), await ownerOf(e)]).toEqual([1, ['user', 'ada', false]]);
  });

  it('fails loudly where a file would be transferred without a unit of work, and checks files without one', async () => {
    const { send, file, ownerOf, packages } = await open();
    const a = await file();
    const { status, body } = await send('/undecorated', { title: 'x', attachmentId: a });
    expect([status, body['code']]).toEqual([500, 'FILES_TASK_QUEUE_MISSING']);
    expect([await ownerOf(a), await packages()]).toEqual([['user', 'ada', false], 0]);
    expect((await send(`/look?fileId=${a}`, {})).status).toBe(201);
    expect((await send(`/look?fileId=${uuidV7()}`, {})).body['message']).toEqual([
      'fileId: The file does not exist, or you may not use it',
    ]);
  });
});

async function post(app: HttpApp, path: string, body: unknown) {
  const headers = { 'content-type': 'application/json' };
  const response = await app.fetch(path, { method: 'POST', headers, body: JSON.stringify(body), user: 'ada' });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
