import { Body, Controller, Param, ParseIntPipe, Patch, Put, ValidationPipe } from '@nestjs/common';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Track } from '../../support/guarded-entities.js';

class Plain {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid', { nullable: true }) fileId!: string | null;
  @Column('simple-json', { nullable: true }) fileIds!: string[] | null;
}
@Entity()
class Loose extends Plain {}

@Entity()
@OwnsFiles('shelf')
class Shelf {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
  @FileField() @Column('simple-json', { nullable: true }) fileIds!: string[] | null;
}

class LooseDto {
  @TransferOwnership('loose') fileIds!: string[];
}
class ShelfDto {
  @TransferOwnership('shelf') fileIds!: string[];
}
class TracksDto {
  @TransferOwnership('track') fileIds!: string[];
}

@Controller()
class Shelves {
  constructor(private readonly dataSource: DataSource) {}

  @Patch('loose/:id') @WithTaskQueue() async loose(
    @Param('id', ParseIntPipe) id: number,
    @Body() { fileIds }: LooseDto,
  ) {
    await this.dataSource.getRepository(Loose).update(id, { fileIds });
    return { id, fileIds };
  }

  @Patch('shelves/:id/kept') @WithTaskQueue() kept(@Body() _dto: ShelfDto) {
    return {};
  }

  @Patch('shelves/:id') @WithTaskQueue() async shelf(
    @Param('id', ParseIntPipe) id: number,
    @Body() { fileIds }: ShelfDto,
  ) {
    await this.dataSource.getRepository(Shelf).update(id, { fileIds });
    return {};
  }

  @Put('albums/:id/tracks') @WithTaskQueue() async tracks(
    @Param('id', ParseIntPipe) id: number,
    @Body() { fileIds }: TracksDto,
  ) {
    await this.dataSource.getRepository(Album).save({ id, tracks: fileIds.map((fileId) => ({ fileId })) });
    return {};
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Attaching on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({
      database,
      entities: [Loose, Shelf, Album, Track],
      controllers: [Shelves],
      prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
    });
  });
  afterAll(() => app.close());

  it.each([1, 10])('takes no statement more for a guarded record: %i files', async (count) => {
    const kinds = async (path: string, id: number) => {
      const fileIds = await Promise.all(Array.from({ length: count }, () => app.upload()));
      app.statements.length = 0;
      expect(await app.send('PATCH', `/${path}/${id}`, { fileIds })).toMatchObject({ status: 200 });
      return app.statements.map((sql) => sql.trim().split(/\s/)[0]);
    };
    const loose = await app.dataSource.getRepository(Loose).save({});
    const shelf = await app.dataSource.getRepository(Shelf).save({});
    expect(await kinds('shelves', shelf.id)).toEqual(await kinds('loose', loose.id));
  });

  it.each(['fileId', 'fileIds'])('asks once for the row that names a file in %s already', async (field) => {
    const shelves = app.dataSource.getRepository(Shelf);
    const { id } = await shelves.save({});
    const file = await app.fileOf('shelf', id);
    await shelves.update(id, { [field]: field === 'fileId' ? file : [file] });
    app.statements.length = 0;
    expect(await app.send('PATCH', `/shelves/${id}/kept`, { fileIds: [file] })).toMatchObject({ status: 200 });
    expect(app.statements.filter((sql) => /FROM .shelf. WHERE/.test(sql))).toHaveLength(1);
  });

  it('takes as many statements for many children that are made again as for few', async () => {
    const again = async (count: number) => {
      const { id } = await app.dataSource.getRepository(Album).save({});
      const fileIds = await Promise.all(Array.from({ length: count }, () => app.upload()));
      expect(await app.send('PUT', `/albums/${id}/tracks`, { fileIds })).toMatchObject({ status: 200 });
      app.statements.length = 0;
      expect(await app.send('PUT', `/albums/${id}/tracks`, { fileIds })).toMatchObject({ status: 200 });
      // TypeORM inserts rows, and reads their defaults, one by one where the database returns none of several.
      const sent = app.statements.filter((sql) => !/^INSERT INTO .track.|Track_name/.test(sql));
      for (const track of await app.dataSource.getRepository(Track).findBy({ album: { id } }))
        expect(await app.ownerOf(track.fileId!)).toBe(`track ${track.id}*`);
      return sent.map((sql) => sql.trim().split(/\s/)[0]);
    };
    expect(await again(30)).toEqual(await again(3));
  });
});
