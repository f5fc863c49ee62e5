import { Body, Controller, Inject, Param, ParseIntPipe, Patch, Post } from '@nestjs/common';
import { IsOptional } from 'class-validator';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { FileExists, OwnsFiles, UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { actionApp, actionForm, GalleriesController, Gallery, textFile } from '../../support/action-app.js';
import type { ActionApp, ActionSetup } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import { formWith, PLATFORMS, uploadFile } from '../../support/http-app.js';

class Media {
  @Column('varchar', { nullable: true }) fileId!: string | null;
}
@Entity('poster')
@OwnsFiles('poster')
class Poster {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column(() => Media) media!: Media;
}
class PosterDto {
  @IsOptional() title?: string;
  @IsOptional() @UploadAs('poster', { field: 'media.fileId' }) file?: string;
  @IsOptional() @FileExists() relatedId?: string;
  @IsOptional() @FileExists() relatedIds?: string[];
}

@Controller('posters')
class PostersController {
  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  @Post() @WithTaskQueue() async create(@Body() { title = '', relatedId, relatedIds }: PosterDto) {
    const poster = await this.dataSource.getRepository(Poster).save({ title, media: { fileId: null } });
    return { ...poster, ...(relatedId && { relatedId, relatedIds }) };
  }
  @Patch(':id') @WithTaskQueue() async update(@Param('id', ParseIntPipe) id: number, @Body() { title }: PosterDto) {
    return this.dataSource.getRepository(Poster).save({ id, title: title ?? '' });
  }
}

const databases = await reachableDatabases();
const both = databases.flatMap((database, at) =>
  (at === 0 ? PLATFORMS : PLATFORMS.slice(0, 1)).map((platform) => ({
    name: `${database.name}, ${platform}`,
    database,
    platform,
  })),
);

describe.each(both)('an edit form on $name', ({ database, platform }) => {
  const start = (setup: ActionSetup = {}) => actionApp({ platform, database, ...setup });

  async function gallery(app: ActionApp) {
    const form = actionForm([
      ['title', 'Sea'],
      ['coverId', textFile('cover')],
      ['images', textFile('a')],
      ['images', textFile('b')],
    ]);
    const { status, body } = await app.send('/galleries', form);
    expect(status).toBe(201);
    return body as { id: number; coverId: string; images: [string, string] };
  }
  const stored = (app: ActionApp, id: number) => app.dataSource.getRepository(Gallery).findOneByOrFail({ id });

  it('sends back what the record has, beside new files', async () => {
    const app = await start();
    const { id, coverId, images } = await gallery(app);
    const form = actionForm([
      ['title', 'Ocean'],
      ['coverId', coverId],
      ['images', images[0]],
      ['images', textFile('c')],
    ]);
    const { status, body } = await app.send(`/galleries/${id}`, form, 'PATCH');
    expect({ status, coverId: body['coverId'] }).toEqual({ status: 200, coverId });
    const row = await stored(app, id);
    expect([row.title, row.coverId, row.images?.[0], row.images?.length]).toEqual(['Ocean', coverId, images[0], 2]);
    expect(body['images']).toEqual(row.images);
    const files = await app.files();
    expect(files.map(({ ownerType, pinned }) => `${ownerType} ${pinned}`)).toEqual(files.map(() => 'gallery true'));
  });

  it('sends back a list of one file, and the same as JSON', async () => {
    const app = await start();
    const { id, coverId, images } = await gallery(app);
    const form = actionForm([
      ['title', 'Ocean'],
      ['images', images[1]],
    ]);
    expect((await app.send(`/galleries/${id}`, form, 'PATCH')).status).toBe(200);
    expect((await stored(app, id)).images).toEqual([images[1]]);
    const json = { title: 'Ocean', coverId: coverId.toUpperCase(), images: [images[1]] };
    expect((await app.send(`/galleries/${id}`, json, 'PATCH')).status).toBe(200);
    expect(await stored(app, id)).toMatchObject({ coverId, images: [images[1]] });
  });

  it('says with an empty text that there is to be no file', async () => {
    const app = await start();
    const { id } = await gallery(app);
    const form = actionForm([
      ['title', 'Ocean'],
      ['coverId', ''],
      ['images', ''],
    ]);
    expect((await app.send(`/galleries/${id}`, form, 'PATCH')).status).toBe(200);
    expect(await stored(app, id)).toMatchObject({ coverId: null, images: [] });
    expect((await app.send('/galleries', { title: 'None', coverId: '' })).body).toMatchObject({ coverId: null });
  });

  it.each([
    ['before', true],
    ['after', false],
  ])('takes a new file in place of the id %s it', async (_, isFirst) => {
    const app = await start();
    const { id, coverId } = await gallery(app);
    for (const text of [coverId, '']) {
      const parts = [
        ['coverId', text] as [string, string],
        ['coverId', textFile('new')] as [string, { content: string; name: string }],
      ];
      const form = actionForm([['title', 'Ocean'], ...(isFirst ? parts : parts.toReversed())]);
      expect((await app.send(`/galleries/${id}`, form, 'PATCH')).status).toBe(200);
      const row = await stored(app, id);
      expect(row.coverId).not.toBe(coverId);
      expect((await app.files()).find((file) => file.id === row.coverId)?.name).toBe('new.txt');
    }
  });

  it('cannot take a file of another record, nor one that was uploaded by itself', async () => {
    const app = await start();
    const { id, coverId } = await gallery(app);
    const { body: other } = await app.send('/galleries', { title: 'Other' });
    const { id: own } = await uploadFile(app, 'anna', formWith('mine'));
    for (const foreign of [coverId, own]) {
      for (const path of ['/galleries', `/galleries/${String(other['id'])}`]) {
        const method = path === '/galleries' ? 'POST' : 'PATCH';
        for (const body of [
          { title: 'x', coverId: foreign },
          actionForm([
            ['title', 'x'],
            ['coverId', foreign],
          ]),
        ]) {
          const answer = await app.send(path, body, method);
          expect(answer).toMatchObject({ status: 400, body: { code: 'FILES_VALIDATION_FAILED' } });
        }
      }
    }
    expect((await stored(app, id)).coverId).toBe(coverId);
    expect((await stored(app, other['id'] as number)).coverId).toBeNull();
  });

  it('writes an embedded field, and shows it where it is', async () => {
    const app = await start({ controllers: [PostersController], entities: [Poster] });
    const { body } = await app.send(
      '/posters',
      actionForm([
        ['title', 'Sea'],
        ['file', textFile('a')],
      ]),
    );
    const row = await app.dataSource.getRepository(Poster).findOneByOrFail({ id: body['id'] as number });
    expect(row.media.fileId).toMatch(/^[\da-f-]{36}$/);
    expect(body).toEqual({ id: row.id, title: 'Sea', media: { fileId: row.media.fileId } });
    const again = await app.send(
      `/posters/${row.id}`,
      actionForm([
        ['title', 'Sea'],
        ['file', row.media.fileId ?? ''],
      ]),
      'PATCH',
    );
    expect(again.status).toBe(200);
  });

  it('names files in upper case, too', async () => {
    const app = await start({ controllers: [GalleriesController, PostersController], entities: [Poster] });
    const { id } = await uploadFile(app, 'anna', formWith('mine'));
    const sent = { relatedId: id.toUpperCase(), relatedIds: [id.toUpperCase()] };
    expect((await app.send('/posters', sent)).body).toMatchObject({ relatedId: id, relatedIds: [id] });
  });
});
