import { Body, Controller, Inject, Post } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { actionApp, actionForm, Gallery, textFile } from '../../support/action-app.js';

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
