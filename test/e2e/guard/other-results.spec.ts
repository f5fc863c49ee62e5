import { Body, Controller, Param, ParseIntPipe, Post } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { OwnsFiles, TransferOwnership, UploadAs, WithTaskQueue } from '../../../lib/index.js';
import { actionApp, actionForm, textFile } from '../../support/action-app.js';
import type { ActionApp } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';
import { Album, Track } from '../../support/guarded-entities.js';
import { PLATFORMS } from '../../support/http-app.js';

/** Without a declared field: nobody can ask its rows. */
@Entity()
@OwnsFiles('memo')
class Memo {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { nullable: true }) fileId!: string | null;
}

class UploadDto {
  @IsOptional() @IsString() name?: string;
  @UploadAs('track') fileId!: string;
}
class MemoDto {
  @TransferOwnership('memo') fileId!: string;
}

@Controller('albums/:id')
class Desk {
  constructor(private readonly dataSource: DataSource) {}

  @Post('saved') @WithTaskQueue() async saved(@Param('id', ParseIntPipe) id: number, @Body() dto: UploadDto) {
    await this.dataSource.getRepository(Track).save({ ...dto, album: { id } });
    return this.#album(id);
  }
  @Post('unsaved') @WithTaskQueue() async unsaved(@Param('id', ParseIntPipe) id: number, @Body() dto: UploadDto) {
    await this.dataSource.getRepository(Track).save({ name: dto.name ?? '', album: { id } });
    return this.#album(id);
  }
  @Post('memos') @WithTaskQueue() async memo(@Param('id', ParseIntPipe) id: number, @Body() dto: MemoDto) {
    await this.dataSource.getRepository(Memo).save({ ...dto });
    return Object.assign(await this.#album(id), { fileId: dto.fileId });
  }
  @Post('nothing') @WithTaskQueue() nothing(@Param('id', ParseIntPipe) id: number, @Body() dto: MemoDto) {
    return { id, ...dto };
  }

  #album(id: number): Promise<Album> {
    return this.dataSource.getRepository(Album).findOneByOrFail({ id });
  }
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const cases = databases.flatMap((database) =>
  PLATFORMS.map((platform) => ({ name: database.name, database, platform })),
);

describe.each(cases)('A handler that returns another record, on $name, $platform', (setup) => {
  /** An album whose id is that of a track, too. */
  async function withTwins(): Promise<{ app: ActionApp; id: number }> {
    const app = await actionApp({ ...setup, controllers: [Desk], entities: [Album, Track, Memo] });
    const { id } = await app.dataSource.getRepository(Album).save({});
    await app.dataSource.getRepository(Track).save({ name: 'twin' });
    expect(await app.dataSource.getRepository(Track).existsBy({ id, name: 'twin' })).toBe(true);
    return { app, id };
  }

  const form = () => actionForm([['fileId', textFile('song')]]);

  it('leaves an upload to the row that names it, and the twin alone', async () => {
    const { app, id } = await withTwins();
    expect(await app.send(`/albums/${id}/saved`, form())).toMatchObject({ status: 201 });
    const [file] = await app.files();
    const track = await app.dataSource.getRepository(Track).findOneByOrFail({ fileId: file!.id });
    expect(track.name).not.toBe('twin');
    expect([file!.ownerType, file!.ownerId]).toEqual(['track', String(track.id)]);
  });

  it('saves nothing of an upload that no row names', async () => {
    const { app, id } = await withTwins();
    const { status, body } = await app.send(`/albums/${id}/unsaved`, form());
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect(await app.counts()).toMatchObject({ files: 0, stored: 0 });
    expect(await app.dataSource.getRepository(Track).find()).toMatchObject([{ name: 'twin', fileId: null }]);
  });

  it('gives no file to a type without declared fields by the id of another class', async () => {
    const { app, id } = await withTwins();
    const fileId = await uploaded(app);
    const { status, body } = await app.send(`/albums/${id}/memos`, { fileId });
    expect([status, body['code']]).toEqual([500, 'FILES_OWNER_NOT_RESOLVED']);
    expect(await app.dataSource.getRepository(Memo).count()).toBe(0);
    expect(await app.files()).toMatchObject([{ ownerType: 'user' }]);
  });

  it('gives no file to a record that is not there', async () => {
    const { app, id } = await withTwins();
    const fileId = await uploaded(app);
    const { status, body } = await app.send(`/albums/${id}/nothing`, { fileId });
    expect([status, body['code']]).toEqual([422, 'FILES_OWNER_NOT_FOUND']);
    expect(await app.files()).toMatchObject([{ ownerType: 'user' }]);
  });

  async function uploaded(app: ActionApp): Promise<string> {
    const { body } = await app.send('/files', actionForm([['file', textFile('song')]]));
    return body['id'] as string;
  }
});
