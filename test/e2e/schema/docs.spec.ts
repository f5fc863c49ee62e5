import { Body, Controller, Post, StandardSchemaValidationPipe } from '@nestjs/common';
import { SwaggerModule, DocumentBuilder } from '@nestjs/swagger';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FilesService, WithTaskQueue } from 'nestjs-files';
import { acceptFileType, transferOwnership, withFiles } from 'nestjs-files/schema';
import type { SchemaOutput } from 'nestjs-files/schema';
import { Column, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation, Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { examplesNotRun } from '../../support/doc-examples.js';
import { startApp } from '../../support/http-app.js';

@Entity()
class Album {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column('varchar', { nullable: true }) coverId!: string | null;
  @OneToMany(() => Photo, (photo) => photo.album, { cascade: true }) photos!: Relation<Photo>[];
}

@Entity()
class Photo {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') fileId!: string;
  @Column('varchar') caption!: string;
  @ManyToOne(() => Album, (album) => album.photos) album!: Relation<Album>;
}

const UpdateAlbum = withFiles(
  z.object({
    title: z.string().min(1),
    coverId: z.uuid().nullish(),
    photos: z.array(z.object({ fileId: z.uuid(), caption: z.string() })),
  }),
  {
    coverId: [transferOwnership('album'), acceptFileType('image')],
    photos: { fileId: transferOwnership('photo') },
  },
);
type UpdateAlbum = SchemaOutput<typeof UpdateAlbum>;

@Controller('albums')
export class AlbumsController {
  constructor(@InjectRepository(Album) private readonly albums: Repository<Album>) {}

  @Post()
  @WithTaskQueue()
  save(@Body({ schema: UpdateAlbum }) dto: UpdateAlbum) {
    return this.albums.save(this.albums.create(dto));
  }
}

it('runs the examples of docs/standard-schema.md', async () => {
  expect(await examplesNotRun('standard-schema.md', import.meta.url)).toEqual([]);
  const { app, fetch } = await startApp({
    controllers: [AlbumsController],
    imports: [TypeOrmModule.forFeature([Album, Photo])],
    prepare: (app) => {
      app.useGlobalPipes(new StandardSchemaValidationPipe());
    },
  });
  const files = app.get(FilesService);
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
    'base64',
  );
  const owner = { type: 'user', id: 'ada' };
  const [cover, photo] = [
    await files.create(png, { name: 'cover.png', owner }),
    await files.create(png, { name: 'photo.png', owner }),
  ];
  const response = await fetch('/albums', {
    method: 'POST',
    user: 'ada',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ title: 'x', coverId: cover.id, photos: [{ fileId: photo.id, caption: 'y' }] }),
  });
  expect(response.status).toBe(201);
  expect(await files.findOrFail(cover.id)).toMatchObject({ ownerType: 'album', ownerId: '1', pinned: true });
  expect(await files.findOrFail(photo.id)).toMatchObject({ ownerType: 'photo', ownerId: '1', pinned: true });

  const { paths } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  expect(paths['/albums']?.post?.requestBody).toMatchObject({
    content: { 'application/json': { schema: { properties: { coverId: {}, photos: { type: 'array' } } } } },
  });
});
