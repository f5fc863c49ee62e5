import { Body, Controller, Inject, Param, Post, Put } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, ValidateNested } from 'class-validator';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles, UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { actionApp, actionForm, textFile } from '../../support/action-app.js';
import type { ActionApp } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';

@Entity()
@OwnsFiles('folder')
class Folder {
  @PrimaryGeneratedColumn() id!: number;
}

/** Its files belong to the folder that it is in. */
@Entity()
@OwnsFiles('folder', { idField: 'folderId' })
class Sheet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('int') folderId!: number;
  @FileField({ onReplace: 'delete' }) @Column('varchar', { nullable: true }) scanId!: string | null;
  @FileField() @Column('simple-json', { nullable: true }) pageIds!: string[] | null;
  @Column('varchar', { nullable: true }) scanUrl!: string | null;
}

class SheetDto {
  @IsInt() @Type(() => Number) folderId!: number;
  @IsOptional() @UploadAs('folder', { idField: 'folderId' }) scanId?: string;
  @IsOptional() @UploadAs('folder', { idField: 'folderId' }) pageIds?: string[];
  @IsOptional()
  @UploadAs('folder', { idField: 'folderId', attachAs: 'permanentLink', field: 'scanUrl' })
  scan?: string;
}

class SheetsDto {
  @ValidateNested({ each: true }) @Type(() => SheetDto) sheets!: SheetDto[];
}

@Controller('sheets')
class SheetsController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post()
  @WithTaskQueue()
  create(@Body() { scan: _scan, ...sheet }: SheetDto) {
    return this.dataSource.getRepository(Sheet).save(sheet);
  }

  @Post('several')
  @WithTaskQueue()
  async several(@Body() { sheets }: SheetsDto) {
    return { sheets: await this.dataSource.getRepository(Sheet).save(sheets.map((sheet) => ({ ...sheet }))) };
  }

  @Put(':id')
  @WithTaskQueue()
  replace(@Param('id') id: string, @Body() { scan: _scan, ...sheet }: SheetDto) {
    return this.dataSource.getRepository(Sheet).save({ ...sheet, id: Number(id) });
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'Uploads for several rows of one owner on $name',
  (database) => {
    let app: ActionApp;
    beforeEach(async () => {
      app = await actionApp({ database, controllers: [SheetsController], entities: [Folder, Sheet] });
      await app.dataSource.getRepository(Folder).save([{}, {}]);
    });
    const sheets = () => app.dataSource.getRepository(Sheet).find({ order: { id: 'ASC' } });
    const owners = async () => (await app.files()).map(({ ownerType, ownerId }) => `${ownerType} ${ownerId}`);
    const post = (...parts: Parameters<typeof actionForm>[0]) =>
      app.send('/sheets', actionForm([['folderId', '1'], ...parts]));

    it('attaches the file of a second row, and leaves the first as it is', async () => {
      const one = await post(['scanId', textFile('one')]);
      const two = await post(['scanId', textFile('two')]);
      expect([one.status, two.status]).toEqual([201, 201]);
      expect((await sheets()).map(({ scanId }) => scanId)).toEqual([one.body['scanId'], two.body['scanId']]);
      expect(await owners()).toEqual(['folder 1', 'folder 1']);
    });

    it('attaches the files of several rows of one request, each to its own', async () => {
      const { status, body } = await app.send(
        '/sheets/several',
        actionForm([
          ['sheets[0][folderId]', '1'],
          ['sheets[0][scanId]', textFile('one')],
          ['sheets[1][folderId]', '1'],
          ['sheets[1][scanId]', textFile('two')],
        ]),
      );
      expect([status, body]).toMatchObject([201, { sheets: [{ id: 1 }, { id: 2 }] }]);
      const names = new Map((await app.files()).map(({ id, name }) => [id, name]));
      expect((await sheets()).map(({ scanId }) => names.get(scanId ?? ''))).toEqual(['one.txt', 'two.txt']);
    });

    it('replaces the file of one row, and removes only that one', async () => {
      const one = await post(['scanId', textFile('one')]);
      await post(['scanId', textFile('two')]);
      const form = actionForm([
        ['folderId', '1'],
        ['scanId', textFile('three')],
      ]);
      const { status } = await app.send(`/sheets/${String(one.body['id'])}`, form, 'PUT');
      expect(status).toBe(200);
      expect((await app.files()).map(({ name }) => name).toSorted()).toEqual(['three.txt', 'two.txt']);
    });

    it('keeps the lists of two rows apart', async () => {
      await post(['pageIds', textFile('a')], ['pageIds', textFile('b')]);
      const { status, body } = await post(['pageIds', textFile('c')]);
      expect([status, body['pageIds']]).toMatchObject([201, { length: 1 }]);
      expect((await sheets()).map(({ pageIds }) => pageIds?.length)).toEqual([2, 1]);
    });

    it('refuses to write an address into one of several rows, and changes none', async () => {
      await post(['scanId', textFile('one')]);
      const { status, body } = await post(['scan', textFile('two')]);
      expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
      expect((await sheets()).map(({ scanUrl }) => scanUrl)).toEqual([null]);
      expect(await owners()).toEqual(['folder 1']);
    });
  },
);
