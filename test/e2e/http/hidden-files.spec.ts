import {
  BadRequestException,
  Body,
  Controller,
  Injectable,
  ParseArrayPipe,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { plainToInstance, Type } from 'class-transformer';
import { IsOptional, validate, validateOrReject, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import {
  AcceptFileStorage,
  AcceptFileType,
  FileExists,
  FilesAccess,
  FilesService,
  ManagedFile,
  MaxFileSize,
  OwnerPolicy,
  TransferOwnership,
  WithTaskQueue,
} from '../../../lib/index.js';
import type { Actor, FileOwnerPolicy, FilesModuleOptions, OwnerOperation } from '../../../lib/index.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';

class LookDto {
  @IsOptional() @FileExists() exists?: string;
  @IsOptional() @AcceptFileType('image') type?: string;
  @IsOptional() @AcceptFileStorage('images') storage?: string;
  @IsOptional() @MaxFileSize(1) size?: string;
  @IsOptional() @FileExists({ each: true }) several?: string[];
}
class LooseDto {
  @IsOptional() look?: unknown;
}
class NoteDto {
  @IsOptional() @AcceptFileType('image') @TransferOwnership('note') fileId?: string;
  @IsOptional() @TransferOwnership('note') plainId?: string;
  @IsOptional() @TransferOwnership('album') albumFileId?: string;
}
class NotesDto {
  @ValidateNested({ each: true }) @Type(() => NoteDto) notes!: NoteDto[];
}

let handled = 0;
let meanwhile: (dataSource: DataSource) => Promise<unknown> = async () => undefined;

@Controller()
class Notes {
  constructor(private readonly dataSource: DataSource) {}

  @Post('look') look(@Body() dto: LookDto) {
    return { ...dto };
  }
  @Post('items') items(@Body('items', new ParseArrayPipe({ items: LookDto })) items: LookDto[]) {
    return { items };
  }
  @Post('expected') expected(@Body(new ValidationPipe({ expectedType: LookDto })) dto: object) {
    return { ...dto };
  }
  @Post('by-hand') async byHand(@Body() { look }: LooseDto) {
    const dto = plainToInstance(LookDto, look);
    const errors = await validate(dto);
    if (errors.length > 0)
      throw new BadRequestException(errors.flatMap(({ constraints }) => Object.values(constraints ?? {})));
    return { ...dto };
  }
  @Post('notes') @WithTaskQueue() async note(@Body() dto: NoteDto) {
    handled++;
    await meanwhile(this.dataSource);
    return { id: '1', ...dto };
  }
  @Post('many') @WithTaskQueue() many(@Body() { notes }: NotesDto) {
    return { notes: notes.map((note, at) => ({ id: String(at), ...note })) };
  }
}

/** The notes whose ids begin with "open" are everybody's to see. */
@Injectable()
@OwnerPolicy('note')
class NotePolicy implements FileOwnerPolicy {
  calls = 0;
  allows(operation: OwnerOperation, actor: Actor | null, id: string) {
    this.calls++;
    return (operation === 'read' && id.startsWith('open')) || actor?.id === 'editor';
  }
  allowsMany(operation: OwnerOperation, actor: Actor | null, ids: readonly string[]) {
    this.calls++;
    return ids.filter((id) => (operation === 'read' && id.startsWith('open')) || actor?.id === 'editor');
  }
}

@Injectable()
class NoteImporter {
  @WithTaskQueue() async importOne(id: string, dto: NoteDto) {
    await validateOrReject(dto);
    return { id, ...dto };
  }
}

async function notesApp(platform: Platform, options: Partial<FilesModuleOptions> = {}) {
  const app = await startApp({
    platform,
    options: { cascade: { note: true }, ...options },
    controllers: [Notes],
    providers: [NotePolicy, NoteImporter],
    prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe({ transform: true })),
  });
  const files = app.app.get(FilesService);
  const fileOf = async (type: string, id: string) =>
    (await files.create(Buffer.from('%PDF-1.7\n'), { name: 'a.pdf', owner: { type, id } })).id;
  const send = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const response = await app.fetch(path, { method: 'POST', user: 'ada', body: JSON.stringify(body), headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  /** What is answered, without the ids. */
  const answer = async (path: string, body: object) =>
    JSON.stringify(await send(path, body)).replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, 'an id');
  return { ...app, fileOf, send, answer, policy: app.app.get(NotePolicy) };
}

const TEXT = 'The file does not exist, or you may not use it';

describe.each(PLATFORMS)('a file that one may not see, on %s,', (platform) => {
  it('reads like one that is missing, in a route with and without a unit of work', async () => {
    const { fileOf, send, answer } = await notesApp(platform);
    const hidden = [await fileOf('user', 'bob'), await fileOf('note', 'closed'), await fileOf('album', '1')];
    for (const id of hidden) {
      for (const field of ['exists', 'type', 'storage', 'size'])
        expect(await answer('/look', { [field]: id })).toBe(await answer('/look', { [field]: uuidV7() }));
      expect(await answer('/look', { several: [id] })).toBe(await answer('/look', { several: [uuidV7()] }));
    }
    for (const field of ['fileId', 'plainId', 'albumFileId']) {
      for (const id of hidden.slice(0, 2))
        expect(await answer('/notes', { [field]: id })).toBe(await answer('/notes', { [field]: uuidV7() }));
    }
    expect(await send('/look', { type: hidden[0] })).toMatchObject({
      status: 400,
      body: { code: 'FILES_VALIDATION_FAILED', message: [`type: ${TEXT}`], problems: [{ code: 'FILE_UNAVAILABLE' }] },
    });
  });

  it.each<[string, (dto: object) => object]>([
    ['/items', (dto) => ({ items: [dto] })],
    ['/expected', (dto) => dto],
    ['/by-hand', (dto) => ({ look: dto })],
  ])('reads like one that is missing in POST %s, whose parameter does not name the DTO', async (path, bodyOf) => {
    const { fileOf, send, answer } = await notesApp(platform);
    for (const id of [await fileOf('user', 'bob'), await fileOf('note', 'closed')]) {
      for (const field of ['exists', 'type', 'storage', 'size'])
        expect(await answer(path, bodyOf({ [field]: id }))).toBe(await answer(path, bodyOf({ [field]: uuidV7() })));
    }
    expect(await send(path, bodyOf({ exists: uuidV7() }))).toMatchObject({
      status: 400,
      body: { code: 'FILES_VALIDATION_FAILED', problems: [{ code: 'FILE_UNAVAILABLE' }] },
    });
    expect((await send(path, bodyOf({ exists: await fileOf('user', 'ada') }))).status).toBe(201);
  });

  it('is refused before the handler runs where the policy of the owner says so', async () => {
    const { fileOf, send } = await notesApp(platform);
    handled = 0;
    expect((await send('/notes', { plainId: await fileOf('note', 'closed') })).status).toBe(400);
    expect(handled).toBe(0);
    // Everybody may see this one, and only the record tells whose it is.
    expect((await send('/notes', { plainId: await fileOf('note', 'open') })).body).toMatchObject({
      code: 'FILES_VALIDATION_FAILED',
      message: [`plainId: ${TEXT}`],
      problems: [{ field: 'plainId', code: 'FILE_UNAVAILABLE', message: `plainId: ${TEXT}` }],
    });
    expect(handled).toBe(1);
  });

  it('reads like one that is missing where no policy says who may see it, also if it changes meanwhile', async () => {
    const { fileOf, send, answer } = await notesApp(platform);
    const missing = await answer('/notes', { albumFileId: uuidV7() });
    const hidden = await fileOf('album', '2');
    expect(await answer('/notes', { albumFileId: hidden })).toBe(missing);
    meanwhile = (dataSource) =>
      dataSource.getRepository(ManagedFile).update(hidden, { ownerType: 'user', ownerId: 'eve' });
    expect(await answer('/notes', { albumFileId: hidden })).toBe(missing);
    const own = await fileOf('user', 'ada');
    meanwhile = (dataSource) => dataSource.getRepository(ManagedFile).update(own, { ownerId: 'eve' });
    expect((await send('/notes', { albumFileId: own })).status).toBe(409);
    meanwhile = async () => undefined;
  });

  it('stays the file of its record all the same', async () => {
    const { fileOf, send } = await notesApp(platform, { cascade: {} });
    const kept = await fileOf('note', '1');
    expect((await send('/notes', { fileId: kept })).status).toBe(201);
  });

  it('gets its full checks for an actor who may see it', async () => {
    const { fileOf, send } = await notesApp(platform);
    for (const id of [await fileOf('user', 'ada'), await fileOf('note', 'open')]) {
      expect((await send('/look', { exists: id })).status).toBe(201);
      expect((await send('/look', { type: id })).body).toMatchObject({
        message: ['type: File type must be one of image'],
        problems: [{ field: 'type', code: 'FILE_TYPE', message: 'type: File type must be one of image' }],
      });
    }
  });

  it('costs one question to the policy for all fields of a body', async () => {
    const { fileOf, send, policy } = await notesApp(platform);
    const open = await Promise.all(['open1', 'open2', 'open3'].map((id) => fileOf('note', id)));
    expect((await send('/look', { exists: open[0], several: open })).status).toBe(201);
    expect(policy.calls).toBe(1);
  });

  it('gets its code together with the path to a nested field', async () => {
    const { fileOf, send } = await notesApp(platform);
    const notes = [{ plainId: await fileOf('user', 'ada') }, { plainId: await fileOf('user', 'bob') }, { fileId: 7 }];
    const { body } = await send('/many', { notes });
    expect(body['problems']).toEqual([
      { field: 'notes.1.plainId', code: 'FILE_UNAVAILABLE', message: `notes.1.plainId: ${TEXT}` },
      { field: 'notes.2.fileId', code: 'FILE_UNAVAILABLE', message: `notes.2.fileId: ${TEXT}` },
    ]);
  });

  it('gets the message of the application, early and late', async () => {
    const messages = { FILE_UNAVAILABLE: 'Choose a file of your own', FILE_TYPE: 'Only $constraint1, please' };
    const { fileOf, send } = await notesApp(platform, { validation: { messages } });
    const own = await fileOf('user', 'ada');
    const bodies = [{ plainId: uuidV7() }, { plainId: await fileOf('note', 'open') }, { fileId: own }];
    const said = [];
    for (const body of bodies) said.push((await send('/notes', body)).body['message']);
    expect(said).toEqual([
      ['plainId: Choose a file of your own'],
      ['plainId: Choose a file of your own'],
      ['fileId: Only image, please'],
    ]);
  });
});

describe('validation outside of any call', () => {
  const refusedBy = async (dto: object): Promise<unknown[]> =>
    (await validate(dto)).map(({ contexts }) => contexts?.['fileExists']);

  it('sees no file that nobody may see, and those of the actor in whose name it runs', async () => {
    const { app, fileOf } = await notesApp('express');
    const [mine, open] = [await fileOf('user', 'ada'), await fileOf('note', 'open')];
    const look = (exists: string) => refusedBy(Object.assign(new LookDto(), { exists }));
    const unavailable = [{ codes: ['FILE_UNAVAILABLE'] }];
    expect([await look(mine), await look(open)]).toEqual([unavailable, []]);
    const as = (id: string) => app.get(FilesAccess).actAs({ type: 'user', id }, () => look(mine));
    expect([await as('bob'), await as('ada'), await as('admin')]).toEqual([unavailable, [], []]);
  });

  it('leaves a file to the record that has it, although nobody may see it', async () => {
    const { app, fileOf } = await notesApp('express');
    const plainId = await fileOf('note', 'closed');
    await app.get(NoteImporter).importOne('closed', Object.assign(new NoteDto(), { plainId }));
    expect(await app.get(FilesService).findOrFail(plainId)).toMatchObject({ ownerId: 'closed', pinned: true });
  });
});

describe('problems of fields', () => {
  it('have their codes in the errors of class-validator', async () => {
    await startApp();
    const [error] = await validate(Object.assign(new LookDto(), { exists: 7 }));
    expect(error?.contexts).toEqual({ fileExists: { codes: ['FILE_UNAVAILABLE'] } });
  });

  it.each([{ NOPE: 'text' }, { FILE_TYPE: 7 }])('are refused at boot with the messages %j', async (messages) => {
    await expect(startApp({ options: { validation: { messages: messages as never } } })).rejects.toThrow(
      /validation\.messages/,
    );
  });
});
