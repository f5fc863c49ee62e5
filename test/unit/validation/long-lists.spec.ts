import { Inject, Injectable } from '@nestjs/common';
import { plainToInstance, Type } from 'class-transformer';
import { IsOptional, validate, validateOrReject, ValidateNested } from 'class-validator';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { newFile } from '../../../lib/files/new-file.js';
import { NOT_SCANNED } from '../../../lib/files/scan/scan-state.js';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import {
  AcceptFileStorage,
  AcceptFileType,
  FileExists,
  MaxFileSize,
  TransferOwnership,
} from '../../../lib/validation/file-constraints.js';
import { fileExists, transferOwnership } from '../../../lib/validation/schema/rules.js';
import { withFiles } from '../../../lib/validation/schema/with-files.js';
import { growth, LINEAR } from '../../support/growth.js';
import { ownershipApp, Package } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';

const ANY = { maxFiles: Infinity };

class EachDto {
  @IsOptional() @FileExists({ each: true, ...ANY }) exists?: string[];
  @IsOptional() @AcceptFileType('csv', { each: true, ...ANY }) type?: string[];
  @IsOptional() @AcceptFileStorage('images', { each: true, ...ANY }) storage?: string[];
  @IsOptional() @MaxFileSize(1, { each: true, ...ANY }) size?: string[];
  @IsOptional() @TransferOwnership('package', {}, { each: true, ...ANY }) fileIds?: string[];
}
class ListDto {
  @AcceptFileType('csv', ANY) @TransferOwnership('package', {}, ANY) fileIds!: string[];
}
class ItemDto {
  @TransferOwnership('package', ['..', 'id']) fileId!: string;
}
class ItemsDto {
  @ValidateNested({ each: true }) @Type(() => ItemDto) items!: ItemDto[];
}
class ShortDto {
  @IsOptional() @FileExists({ maxFiles: 2 }) list?: string[];
  @IsOptional() @TransferOwnership('package', {}, { each: true, maxFiles: 2 }) each?: string[];
  @IsOptional() @FileExists({ each: true }) usual?: string[];
}

@Injectable()
class Lists {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @WithTaskQueue() async save(dto: EachDto | ItemsDto) {
    await validateOrReject(dto);
    const { id } = await this.dataSource.getRepository(Package).save({ title: 'a list' });
    return { id, ...dto };
  }
}

let app: OwnershipApp;
beforeAll(async () => {
  app = await ownershipApp({ providers: [Lists], isManager: true });
});
afterAll(() => app.close());

const ids = (count: number) => Array.from({ length: count }, () => uuidV7());
const messages = async (dto: object) =>
  (await validate(dto)).flatMap(({ constraints }) => Object.values(constraints ?? {}));

async function ownFiles(count: number): Promise<string[]> {
  const content = { name: 'a.pdf', storage: 'default', contentType: 'application/pdf', charset: null, size: 10 };
  const made = ids(count);
  for (let at = 0; at < count; at += 500) {
    const rows = made.slice(at, at + 500).map((id) => {
      const file = { ...content, location: id, hash: 'none', hashAlgorithm: 'sha256', ...NOT_SCANNED };
      return { ...newFile(file, { type: 'user', id: 'ada' }, id), locationKey: id } as object;
    });
    await app.dataSource.getRepository(ManagedFile).insert(rows);
  }
  return made;
}

const N = 500;

describe('work for a list of ids is proportional to its length', () => {
  it.each(['exists', 'type', 'storage', 'size', 'fileIds'] as const)(
    'checks %s, of files that are missing',
    async (field) => {
      const check = (list: string[]) =>
        app.queue.run(async () => {
          const [message] = await messages(Object.assign(new EachDto(), { [field]: list }));
          expect(message).toMatch(new RegExp(`^${field}: `));
        });
      expect(await growth(N, ids, check)).toBeLessThan(LINEAR);
    },
  );

  it('checks the existing files of the list', async () => {
    const all = await ownFiles(4 * N);
    const check = async (type: string[]) =>
      expect(await messages(Object.assign(new EachDto(), { type }))).toHaveLength(1);
    expect(await growth(N, (count) => all.slice(0, count), check)).toBeLessThan(LINEAR);
  });

  it('checks a list without each', async () => {
    const check = (fileIds: string[]) =>
      app.queue.run(async () => expect(await messages(Object.assign(new ListDto(), { fileIds }))).toHaveLength(2));
    expect(await growth(N, ids, check)).toBeLessThan(LINEAR);
  });

  it('checks nested DTOs with an id each', async () => {
    const check = (list: string[]) =>
      app.queue.run(async () => {
        const items = list.map((fileId) => Object.assign(new ItemDto(), { fileId }));
        expect(await validate(Object.assign(new ItemsDto(), { items }))).toHaveLength(1);
      });
    expect(await growth(N, ids, check)).toBeLessThan(LINEAR);
  });

  it.each([
    ['of a list', EachDto, (sent: string[]) => ({ fileIds: sent })],
    ['of nested DTOs', ItemsDto, (sent: string[]) => ({ items: sent.map((fileId) => ({ fileId })) })],
    [
      'that all of the nested DTOs name',
      ItemsDto,
      ([fileId, ...more]: string[]) => ({ items: [{ fileId }, ...more.map(() => ({ fileId }))] }),
    ],
  ])('transfers the files %s', async (_, dtoClass, body) => {
    const lists = app.app.get(Lists);
    const save = (sent: string[]) => lists.save(plainToInstance<EachDto | ItemsDto, object>(dtoClass, body(sent)));
    expect(await growth(N, ownFiles, save)).toBeLessThan(LINEAR);
  });
});

describe('the length of a list', () => {
  it('is limited by its field, and refused before the database is asked', async () => {
    app.statements.length = 0;
    const long = Object.assign(new ShortDto(), { list: ids(3), each: ids(3), usual: ids(1001) });
    expect(await app.queue.run(() => messages(long))).toEqual([
      'list: Must name at most 2 files',
      'each: Must name at most 2 files',
      'usual: Must name at most 1000 files',
    ]);
    expect(app.statements.filter((sql) => sql.includes('files_file'))).toEqual([]);
  });

  it('is limited in a schema', async () => {
    const anything = {
      '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
    };
    const schema = withFiles(anything, {
      few: fileExists({ maxFiles: 2 }),
      own: transferOwnership('package', {}, { maxFiles: 2 }),
      usual: fileExists(),
    });
    const value = { few: ids(3), own: ids(3), usual: ids(1001) };
    const { issues = [] } = await app.queue.run(async () => schema['~standard'].validate(value));
    expect(issues.map(({ message, path }) => `${JSON.stringify(path)} ${message}`)).toEqual([
      '["few"] Must name at most 2 files',
      '["own"] Must name at most 2 files',
      '["usual"] Must name at most 1000 files',
    ]);
  });

  it.each([0, -1, 1.5, Number.NaN, '5'])('is refused with the limit %s', (maxFiles) => {
    expect(() => FileExists({ maxFiles: maxFiles as number })).toThrow(/maxFiles must be a whole number above 0/);
    expect(() => fileExists({ maxFiles: maxFiles as number })).toThrow(/maxFiles must be a whole number above 0/);
  });
});
