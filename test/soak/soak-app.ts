import {
  Body,
  Controller,
  Delete,
  Headers,
  HttpCode,
  Injectable,
  Module,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Patch,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { APP_PIPE, NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional, IsString, IsUUID, MaxLength, MinLength } from 'class-validator';
import type { Request } from 'express';
import {
  FilesModule,
  OwnerPolicy,
  FileField,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from 'nestjs-files';
import { FILES_ENTITIES } from 'nestjs-files/entities';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import type { Storage } from 'nestjs-files/storage';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { Mischief } from './mischief.js';

/** A record that names two files: one is let go when it is named no more, the other deleted. */
@Entity('shelf')
@OwnsFiles('shelf', { onDelete: 'delete' })
export class Shelf {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar', { length: 64 }) label!: string;
  @Column('varchar', { length: 64 }) keeper!: string;
  @FileField({ onReplace: 'release' }) @Column('varchar', { length: 36, nullable: true }) coverId!: string | null;
  @FileField({ onReplace: 'delete' }) @Column('varchar', { length: 36, nullable: true }) scanId!: string | null;
}

export const SOAK_ENTITIES = [...FILES_ENTITIES, Shelf];

class ShelfDto {
  @IsOptional() @IsString() @MinLength(1) @MaxLength(64) label?: string;
  @IsOptional() @IsUUID() @TransferOwnership('shelf') coverId?: string | null;
  @IsOptional() @IsUUID() @TransferOwnership('shelf') scanId?: string | null;
}

class FilledShelfDto {
  @IsOptional() @IsString() @MinLength(1) @MaxLength(64) label?: string;
  @IsOptional() @UploadAs('shelf') coverId?: string | null;
  @IsOptional() @UploadAs('shelf') scanId?: string | null;
}

@OwnerPolicy('shelf')
@Injectable()
class ShelfFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Shelf) private readonly shelves: Repository<Shelf>) {}

  async allows(_operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return actor !== null && (await this.shelves.existsBy({ id, keeper: actor.id }));
  }
}

@Controller('shelves')
class ShelvesController {
  constructor(
    @InjectRepository(Shelf) private readonly shelves: Repository<Shelf>,
    private readonly queue: TaskQueue,
    private readonly mischief: Mischief,
  ) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: ShelfDto, @Headers('x-user') keeper: string): Promise<Shelf> {
    return this.#save(this.shelves.create({ keeper }), dto);
  }

  @Post('filled')
  @WithTaskQueue()
  createFilled(@Body() dto: FilledShelfDto, @Headers('x-user') keeper: string): Promise<Shelf> {
    return this.#save(this.shelves.create({ keeper }), dto);
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id', ParseUUIDPipe) id: string, @Body() dto: ShelfDto, @Headers('x-user') keeper: string) {
    return this.#save(await this.#find(id, keeper), dto);
  }

  @Patch(':id/filled')
  @WithTaskQueue()
  async fill(@Param('id', ParseUUIDPipe) id: string, @Body() dto: FilledShelfDto, @Headers('x-user') keeper: string) {
    return this.#save(await this.#find(id, keeper), dto);
  }

  @Delete(':id')
  @HttpCode(204)
  @WithTaskQueue()
  async remove(@Param('id', ParseUUIDPipe) id: string, @Headers('x-user') keeper: string): Promise<void> {
    await this.shelves.remove(await this.#find(id, keeper));
    this.#strike();
  }

  async #save(shelf: Shelf, dto: ShelfDto): Promise<Shelf> {
    const saved = await this.shelves.save(this.shelves.merge(shelf, dto));
    this.#strike();
    return saved;
  }

  async #find(id: string, keeper: string): Promise<Shelf> {
    const shelf = await this.shelves.findOneBy({ id, keeper });
    if (!shelf) throw new NotFoundException();
    return shelf;
  }

  #strike(): void {
    this.mischief.strike('handler');
    this.queue.add(() => this.mischief.strike('task'));
  }
}

interface SoakAppParts {
  readonly database: DataSourceOptions;
  readonly storage: Storage;
  readonly mischief: Mischief;
}

/** Starts the application, on tables that are there. Its sweeper is at work all the time. */
export async function startSoakApp({ database, storage, mischief }: SoakAppParts): Promise<INestApplication> {
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...database, entities: SOAK_ENTITIES }),
      TypeOrmModule.forFeature([Shelf]),
      FilesModule.forRoot({
        storages: { default: storage },
        actor: (context) => {
          const id = context.switchToHttp().getRequest<Request>().headers['x-user'];
          return typeof id === 'string' ? { type: 'user', id } : null;
        },
        isManager: (actor) => actor?.id === 'admin',
        uploads: 'authenticated',
        cascade: { shelf: true },
        quotas: { user: { count: 1_000_000 } },
        sweeper: { interval: 2_000, grace: 90_000, lease: 5_000 },
      }),
    ],
    controllers: [ShelvesController],
    providers: [
      ShelfFiles,
      { provide: Mischief, useValue: mischief },
      { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, whitelist: true }) },
    ],
  })
  class SoakModule {}

  const app = await NestFactory.create(SoakModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  return app;
}
