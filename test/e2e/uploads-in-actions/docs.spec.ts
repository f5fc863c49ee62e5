import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Body, Controller, Injectable, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { Column, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { Relation } from 'typeorm';
import { expect, it } from 'vitest';
import {
  AcceptFileType,
  ManagedFile,
  MaxFileSize,
  OwnsFiles,
  TaskQueue,
  UploadAs,
  WithTaskQueue,
} from '../../../lib/index.js';
import { FileStaging, findStagedFile, UploadAndAttachTask } from '../../../lib/entry/staging.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { actionForm, textFile } from '../../support/action-app.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { shellBlocks } from '../../support/doc-pages.js';
import { newDirectory } from '../../support/files-directory.js';
import { startApp } from '../../support/http-app.js';

@Entity()
@OwnsFiles('album')
class Album {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column('varchar', { nullable: true }) coverId!: string | null;
  @Column('varchar', { nullable: true }) bookletUrl!: string | null;
  @OneToMany(() => Track, (track) => track.album, { cascade: true }) tracks!: Relation<Track>[];
}

@Entity()
@OwnsFiles('track')
class Track {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @Column('varchar') fileId!: string;
  @ManyToOne(() => Album, (album) => album.tracks) album!: Relation<Album>;
}

class TrackDto {
  @IsString() title!: string;
  @UploadAs('track') @AcceptFileType('text') fileId!: string;
}

class AlbumDto {
  @IsString() title!: string;
  @IsOptional() @UploadAs('album', { storage: 'images' }) @MaxFileSize('2MiB') coverId?: string;
  @IsOptional() @UploadAs('album', { attachAs: 'permanentLink', field: 'bookletUrl' }) booklet?: string;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => TrackDto) tracks?: TrackDto[];
}

@Controller('albums')
class AlbumsController {
  constructor(@InjectRepository(Album) private readonly albums: Repository<Album>) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: AlbumDto) {
    return this.albums.save(this.albums.create(dto));
  }
}

@Controller('covers')
class CoversController {
  @Post()
  @WithTaskQueue()
  create(@Body() dto: AlbumDto) {
    if (dto.coverId === undefined) return {};
    const { name, contentType, size } = findStagedFile(dto.coverId)!;
    return { id: 1, name, contentType, size };
  }
}

@Injectable()
class Importer {
  constructor(
    private readonly queue: TaskQueue,
    private readonly staging: FileStaging,
    @InjectRepository(Album) private readonly albums: Repository<Album>,
  ) {}

  @WithTaskQueue()
  async importOne(title: string, cover: Buffer): Promise<Album> {
    const staged = await this.staging.stage(cover, { name: 'cover.png', storage: 'images' });
    this.queue.add(new UploadAndAttachTask(staged, 'album', { field: 'coverId' }));
    return this.albums.save({ title });
  }
}

function start() {
  return startApp({
    options: {
      storages: { default: fsStorage({ root: newDirectory() }), images: fsStorage({ root: newDirectory() }) },
    },
    imports: [TypeOrmModule.forFeature([Album, Track])],
    controllers: [AlbumsController, CoversController],
    providers: [Importer],
    prepare: (app) => void app.useGlobalPipes(new ValidationPipe({ transform: true })),
  });
}

it('runs every example of docs/uploads-in-actions.md', async () => {
  expect(await examplesNotRun('uploads-in-actions.md', import.meta.url)).toEqual([]);
});

it('does what docs/uploads-in-actions.md says', async () => {
  const app = await start();
  const directory = newDirectory();
  for (const name of ['cover.png', 'booklet.pdf', 'lyrics.txt']) writeFileSync(`${directory}/${name}`, name);
  const [command = ''] = shellBlocks('uploads-in-actions.md');
  const script = command.replace('curl', 'curl -s').replace('http://localhost:3000', app.url);
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { cwd: directory });
  const album = JSON.parse(stdout) as Album;
  const files = await app.dataSource.getRepository(ManagedFile).find({ order: { name: 'ASC' } });
  const [booklet, cover, lyrics] = files;
  expect(files).toMatchObject([
    { name: 'booklet.pdf', storage: 'default', ownerType: 'album', ownerId: String(album.id) },
    { name: 'cover.png', storage: 'images', ownerType: 'album', ownerId: String(album.id) },
    { name: 'lyrics.txt', storage: 'default', ownerType: 'track', ownerId: String(album.tracks[0]?.id) },
  ]);
  expect(album).toMatchObject({
    title: 'Sea',
    coverId: cover?.id,
    bookletUrl: `/files/${booklet?.id}/content`,
    tracks: [{ title: 'Waves', fileId: lyrics?.id }],
  });
  const covers = await app.fetch('/covers', {
    method: 'POST',
    body: actionForm([
      ['title', 'x'],
      ['coverId', textFile('a')],
    ]),
  });
  expect([covers.status, await covers.json()]).toMatchObject([
    201,
    { id: 1, name: 'a.txt', contentType: 'text/plain', size: 1, coverId: expect.any(String) as string },
  ]);
  const imported = await app.app.get(Importer).importOne('Sun', Buffer.from('x'));
  expect(await app.dataSource.getRepository(Album).findOneBy({ id: imported.id })).toMatchObject({
    coverId: imported.coverId,
  });
  expect(await app.dataSource.getRepository(ManagedFile).findOneBy({ id: imported.coverId ?? '' })).toMatchObject({
    name: 'cover.png',
    pinned: true,
    ownerId: String(imported.id),
  });
});
