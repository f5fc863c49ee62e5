import { Body, Controller, Inject, Post } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { Column, DataSource, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { expect, it } from 'vitest';
import { OwnsFiles, UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { actionApp, actionForm, Gallery, textFile } from '../../support/action-app.js';
import { isTypeorm03 } from '../../support/versions.js';

class ExtraDto {
  @IsString() title!: string;
  @IsOptional() @UploadAs('gallery') coverId?: string;
  @IsOptional() @UploadAs('gallery') extra?: string;
}

@Controller('galleries')
class ExtrasController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: ExtraDto) {
    const galleries = this.dataSource.getRepository(Gallery);
    return galleries.save(galleries.create({ ...dto } as object));
  }
}

type Parts = Parameters<typeof actionForm>[0];

it.each<[string, Parts]>([
  ['alone', []],
  ['beside one that is saved', [['coverId', textFile('cover')]]],
])('refuses a file of a field that the record does not have, %s', async (_, others) => {
  const app = await actionApp({ controllers: [ExtrasController] });
  const form = actionForm([['title', 'a'], ...others, ['extra', textFile('extra')]]);
  const { status, body } = await app.send('/galleries', form);
  expect([status, (body as { code?: string }).code]).toEqual([500, 'FILES_NOT_NAMED']);
  expect(await app.files()).toEqual([]);
});

@Entity()
@OwnsFiles('tray')
class Tray {
  @PrimaryGeneratedColumn() id!: number;
  @Column('jsonb', { default: [] }) images!: string[];
}

class TrayDto {
  @IsOptional() @UploadAs('tray', { field: 'images' }) scans?: string[];
}

@Controller('trays')
class TraysController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post()
  @WithTaskQueue()
  create(@Body() _dto: TrayDto) {
    return this.dataSource.getRepository(Tray).save({});
  }
}

it.skipIf(isTypeorm03)('writes a field of binary JSON as the database stores it', async () => {
  const app = await actionApp({ controllers: [TraysController], entities: [Tray] });
  const { status, body } = await app.send('/trays', actionForm([['scans', textFile('a')]]));
  expect([status, body]).toEqual([201, { id: 1, images: [expect.any(String)] }]);
  const [file] = await app.files();
  const [tray] = await app.dataSource.getRepository(Tray).find();
  expect(tray?.images).toEqual([file!.id]);
  expect(await app.dataSource.query('SELECT typeof(images) AS kind FROM tray')).toEqual([{ kind: 'blob' }]);
});

@Entity()
@OwnsFiles('crate')
class Crate {
  @PrimaryColumn('varchar', { transformer: { to: (id: string) => id.slice(4), from: (id: string) => `pkg_${id}` } })
  id!: string;
  @Column('varchar', { nullable: true }) imageId!: string | null;
}

class CrateDto {
  @IsOptional() @UploadAs('crate', { field: 'imageId' }) scan?: string;
}

@Controller('crates')
class CratesController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post()
  @WithTaskQueue()
  create(@Body() _dto: CrateDto) {
    return this.dataSource.getRepository(Crate).save({ id: 'pkg_1' });
  }
}

it('writes a field of a record whose id a transformer changes', async () => {
  const app = await actionApp({ controllers: [CratesController], entities: [Crate] });
  const { status } = await app.send('/crates', actionForm([['scan', textFile('a')]]));
  const [file] = await app.files();
  expect([status, file?.ownerId]).toEqual([201, 'pkg_1']);
  expect(await app.dataSource.getRepository(Crate).find()).toEqual([{ id: 'pkg_1', imageId: file!.id }]);
});
