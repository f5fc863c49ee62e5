import {
  Body,
  Controller,
  Delete,
  Headers,
  HttpCode,
  Module,
  NotFoundException,
  Param,
  ParseIntPipe,
  Patch,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsArray } from 'class-validator';
import type { Request } from 'express';
import {
  FileField,
  FilesModule,
  OwnershipTransferTask,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
} from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';

/** A record that names files. */
@Entity('page')
@OwnsFiles('page')
export class Page {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('simple-json') fileIds!: string[];
}

/** A record that comes and goes, and whose files are counted. */
@Entity('folder')
@OwnsFiles('folder', { onDelete: 'release' })
export class Folder {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
}

export const RACE_ENTITIES = [...FILES_ENTITIES, Page, Folder];

/** Lets handlers wait for those of other requests, in whatever process these are. */
export abstract class Meetings {
  /** Resolves when all who are expected at the meeting are there; at once where none is named. */
  abstract attend(name: string | undefined): Promise<void>;
}

class PageDto {
  @TransferOwnership('page') fileIds!: string[];
}

class FolderDto {
  @TransferOwnership('folder') fileId!: string;
}

class MovesDto {
  @IsArray() moves!: { fileId: string; folderId: number }[];
}

@Controller('pages')
class PagesController {
  constructor(
    @InjectRepository(Page) private readonly pages: Repository<Page>,
    private readonly meetings: Meetings,
  ) {}

  @Post()
  @WithTaskQueue()
  async create(@Body() { fileIds }: PageDto, @Headers('x-meeting') meeting?: string): Promise<Page> {
    await this.meetings.attend(meeting);
    return this.pages.save({ fileIds });
  }

  /** Reads all pages before it adds one: two at once cannot both be right. */
  @Post('serializable')
  @WithTaskQueue({ isolationLevel: 'SERIALIZABLE', retry: 50 })
  async createSerializable(@Body() { fileIds }: PageDto): Promise<{ id: number; fileIds: string[]; before: number }> {
    const before = await this.pages.count();
    return { ...(await this.pages.save({ fileIds })), before };
  }
}

@Controller('folders')
class FoldersController {
  constructor(
    @InjectRepository(Folder) private readonly folders: Repository<Folder>,
    private readonly queue: TaskQueue,
  ) {}

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id', ParseIntPipe) id: number, @Body() { fileId }: FolderDto): Promise<Folder> {
    return this.folders.save(Object.assign(await this.#show(id), { fileId }));
  }

  @Delete(':id')
  @HttpCode(204)
  @WithTaskQueue()
  async remove(@Param('id', ParseIntPipe) id: number): Promise<void> {
    await this.folders.remove(await this.#show(id));
  }

  /** Gives files to folders, in the order of the list. */
  @Post('moves')
  @WithTaskQueue()
  async move(@Body() { moves }: MovesDto): Promise<object> {
    for (const { fileId, folderId } of moves) {
      this.queue.add(new OwnershipTransferTask(fileId, 'folder', String(folderId), 'value'));
    }
    // Rows are locked in one order by all who do this.
    for (const { fileId, folderId } of moves.toSorted((one, other) => one.folderId - other.folderId)) {
      await this.folders.update(folderId, { fileId });
    }
    return {};
  }

  async #show(id: number): Promise<Folder> {
    const folder = await this.folders.findOneBy({ id });
    if (!folder) throw new NotFoundException();
    return folder;
  }
}

export interface RaceAppOptions {
  readonly database: DataSourceOptions;
  /** The directory of the storage. */
  readonly root: string;
}

/** Starts the application, on tables that are there; gives its address. */
export async function startRaceApp({ database, root }: RaceAppOptions, meetings: Meetings): Promise<string> {
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...database, entities: RACE_ENTITIES }),
      TypeOrmModule.forFeature([Page, Folder]),
      FilesModule.forRoot({
        storages: { default: fsStorage({ root, fsync: false }) },
        actor: (context) => {
          const id = context.switchToHttp().getRequest<Request>().headers['x-user'];
          return typeof id === 'string' ? { type: 'user', id } : null;
        },
        isManager: (actor) => actor?.id === 'admin',
        uploads: 'authenticated',
        quotas: { folder: { count: 1_000_000 } },
        sweeper: false,
      }),
    ],
    controllers: [PagesController, FoldersController],
    providers: [
      { provide: Meetings, useValue: meetings },
      { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true }) },
    ],
  })
  class RaceModule {}

  const app = await NestFactory.create(RaceModule, { logger: ['fatal'] });
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}
