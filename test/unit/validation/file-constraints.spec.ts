import { IsOptional, validate } from 'class-validator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import {
  AcceptFileStorage,
  AcceptFileType,
  FileExists,
  MaxFileSize,
  TransferOwnership,
} from '../../../lib/validation/file-constraints.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';

class AllDto {
  @IsOptional() @FileExists({ each: true }) exists?: unknown;
  @IsOptional() @AcceptFileType('application/pdf', 'image', { each: true }) type?: unknown;
  @IsOptional() @AcceptFileStorage('default', 'images', { each: true }) storage?: unknown;
  @IsOptional() @MaxFileSize('10MiB', { each: true }) size?: unknown;
}
class EachDto {
  @AcceptFileType('csv', { each: true }) files!: unknown;
}
class MessageDto {
  @MaxFileSize(100, { message: ({ value }) => `too much: ${String(value)}` }) size!: unknown;
  @AcceptFileType('csv', 'image', { message: 'not $constraint1' }) type!: unknown;
}
class EveryDto {
  @FileExists()
  @AcceptFileType('pdf')
  @AcceptFileStorage('default')
  @MaxFileSize('1kB')
  @TransferOwnership('package')
  id!: string;
  @FileExists({ each: true }) more!: string[];
}

let app: OwnershipApp;
beforeEach(async () => void (app = await ownershipApp()));
afterEach(() => app.close());

const insert = (file: Parameters<typeof insertFile>[1] = {}) => insertFile(app.dataSource, file);
const messages = async (dto: object) =>
  (await validate(dto)).flatMap(({ constraints }) => Object.values(constraints ?? {}));
const check = (values: Partial<AllDto>) => messages(Object.assign(new AllDto(), values));
const fileStatements = () => app.statements.filter((sql) => /SELECT.*files_file/i.test(sql));

describe('constraints on files', () => {
  it('accept valid files, one or several', async () => {
    const pdf = await insert();
    const png = await insert({ contentType: 'image/png', storage: 'images', size: 10 * 1024 * 1024 });
    expect(await check({ exists: pdf, type: pdf, storage: pdf, size: pdf })).toEqual([]);
    expect(await check({ exists: [pdf, png], type: [png, pdf], storage: [pdf, png], size: [pdf, png] })).toEqual([]);
    expect(await check({ exists: [], type: [], storage: [], size: [] })).toEqual([]);
  });

  it('name the problem of a file', async () => {
    const id = await insert({ contentType: 'text/html', storage: 'other', size: 10 * 1024 * 1024 + 1 });
    expect(await check({ exists: id, type: id, storage: id, size: id })).toEqual([
      'type: File type must be one of application/pdf, image',
      'storage: File storage must be one of default, images',
      'size: File must not be larger than 10MiB',
    ]);
    const missing = uuidV7();
    expect(await check({ exists: missing, type: missing, storage: missing, size: missing })).toEqual(
      ['exists', 'type', 'storage', 'size'].map((field) => `${field}: The file does not exist, or you may not use it`),
    );
  });

  it('name the refused files of a list, by their problem', async () => {
    const [pdf, html, missing] = [await insert(), await insert({ contentType: 'text/html' }), uuidV7()];
    expect(await check({ type: [pdf, html, missing] })).toEqual([
      `type: File type must be one of application/pdf, image: ${html}; The file does not exist, or you may not use it: ${missing}`,
    ]);
    expect(await messages(Object.assign(new EachDto(), { files: [pdf, 7] }))).toEqual([
      'files: The file does not exist, or you may not use it: 7',
    ]);
    expect(await messages(Object.assign(new EachDto(), { files: 7 }))).toEqual([
      'files: The file does not exist, or you may not use it',
    ]);
  });

  it('forget the last validation of the same object', async () => {
    const [html, csv] = [await insert({ contentType: 'text/html' }), await insert({ contentType: 'text/csv' })];
    const dto = Object.assign(new EachDto(), { files: [html, csv] });
    const expected = [`files: File type must be one of csv: ${html}`];
    expect(await messages(dto)).toEqual(expected);
    expect(await messages(dto)).toEqual(expected);
    expect(await messages(Object.assign(dto, { files: [csv] }))).toEqual([]);
  });

  it('use the messages they were given', async () => {
    const id = await insert({ size: 101 });
    expect(await messages(Object.assign(new MessageDto(), { size: id, type: id }))).toEqual([
      `too much: ${id}`,
      'not csv, image',
    ]);
  });

  it('refuse values that are no ids without asking the database', async () => {
    app.statements.length = 0;
    for (const exists of [1, {}, '', 'x', true, [[]], [null], 'x\u0000']) {
      expect((await check({ exists }))[0]).toMatch(
        /^exists: (The file does not exist, or you may not use it|Must be one file)/,
      );
    }
    expect(app.statements).toEqual([]);
  });

  it('give the handler the ids in lower case', async () => {
    const id = await insert();
    const dto = Object.assign(new AllDto(), { exists: id.toUpperCase(), size: [id.toUpperCase()] });
    expect(await messages(dto)).toEqual([]);
    expect([dto.exists, dto.size]).toEqual([id, [id]]);
  });

  it('share one SELECT in a tick, also outside of a unit of work', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => insert()));
    app.statements.length = 0;
    const each = await Promise.all(
      ids.map((id) => check({ exists: id, type: id, storage: id, size: [id, ...ids.filter((other) => other !== id)] })),
    );
    expect(each.flat()).toEqual([]);
    expect(fileStatements()).toHaveLength(1);
  });

  it('share one SELECT with the transfer in a unit of work', async () => {
    const own = { ownerType: 'user', ownerId: 'ada' };
    const [id, ...more] = [await insert(own), await insert(), await insert()];
    app.statements.length = 0;
    const refused = app.queue.run(() => messages(Object.assign(new EveryDto(), { id, more })));
    // Nobody acts outside of a route, so the transfer is refused; the rest is fine.
    expect(await refused).toEqual(['id: The file does not exist, or you may not use it']);
    expect(fileStatements()).toHaveLength(1);
  });

  it('see the writes of their unit of work', async () => {
    const seen = app.queue.run(async () => {
      const id = await insert();
      return check({ exists: id });
    });
    expect(await seen).toEqual([]);
  });

  it('cannot tell which of two applications is meant, and say so', async () => {
    const other = await ownershipApp();
    const dto = Object.assign(new AllDto(), { exists: uuidV7() });
    await expect(validate(dto)).rejects.toThrow(/2 applications.*@WithTaskQueue\(\)/);
    expect(await other.queue.run(() => messages(dto))).toEqual([
      'exists: The file does not exist, or you may not use it',
    ]);
    await other.close();
    expect(await messages(dto)).toEqual(['exists: The file does not exist, or you may not use it']);
  });

  it('need a running application', async () => {
    await app.close();
    const id = uuidV7();
    await expect(validate(Object.assign(new AllDto(), { exists: id }))).rejects.toThrow(/Import FilesModule/);
    app = await ownershipApp();
  });

  it('are refused on values that they cannot check', () => {
    expect(() => AcceptFileType('no type at all')).toThrow(/is not a content type/);
    expect(() => (AcceptFileType as unknown as () => void)()).toThrow(/names no type/);
    expect(() => (AcceptFileStorage as unknown as () => void)()).toThrow(/names no storage/);
    expect(() => MaxFileSize('ten')).toThrow(/is not a size/);
  });
});
