import { Readable } from 'node:stream';
import { Body, Controller, Injectable, Module, Param, Patch } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsOptional, ValidateNested } from 'class-validator';
import {
  AcceptFileType,
  FileExists,
  FilesModule,
  FilesService,
  ManagedFile,
  MaxFileSize,
  OwnerPolicy,
  OwnsFiles,
  Task,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
  addTask,
} from 'nestjs-files';
import type {
  Actor,
  FileFilter,
  FileOperation,
  FileOwnerPolicy,
  FilesModuleOptions,
  OwnerOperation,
  TaskLike,
} from 'nestjs-files';
import type { FileTransfer } from 'nestjs-files/entities';
import { LocationNotFoundError } from 'nestjs-files/errors';
import { cutToRange, Storage } from 'nestjs-files/storage';
import type { StorageAdapter } from 'nestjs-files/storage';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import * as testing from 'nestjs-files/testing';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
@OwnsFiles('package', { onDelete: 'release' })
export class Package {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column('varchar', { nullable: true })
  attachmentId!: string | null;
}

export class ResourceDto {
  @TransferOwnership('resource')
  fileId!: string;
}

export class UpdatePackageDto {
  @IsOptional()
  @AcceptFileType('application/pdf', 'image')
  @MaxFileSize('10MiB')
  @TransferOwnership('package')
  attachmentId?: string;

  @FileExists()
  coverId!: string;

  @ValidateNested({ each: true })
  @Type(() => ResourceDto)
  resources!: ResourceDto[];
}

export class Announce extends Task {
  run(result: unknown): unknown {
    return Task.extract(result, ['id']);
  }
}

@Injectable()
export class Packages {
  constructor(
    private readonly queue: TaskQueue,
    private readonly files: FilesService,
  ) {}

  @WithTaskQueue()
  async update(id: string, dto: UpdatePackageDto): Promise<Package> {
    const task: TaskLike = (result, idx, prev) => [result, idx, prev];
    this.queue.add(task);
    addTask(new Announce());
    return Object.assign(new Package(), { id, attachmentId: dto.attachmentId ?? null });
  }

  async attach(content: Uint8Array): Promise<string> {
    const file: ManagedFile = await this.files.create(content, { name: 'a.txt', storage: 'scratch', owner: null });
    const history: FileTransfer[] = await this.files.history(file.id);
    return this.queue.run(() => `${file.id} ${history.length}`);
  }
}

@OwnerPolicy('package')
export class PackageFiles implements FileOwnerPolicy {
  allows(operation: OwnerOperation, actor: Actor | null, ownerId: string): boolean | null {
    return operation === 'read' ? true : actor ? actor.id === ownerId : null;
  }
}

@Controller('packages')
export class PackagesController {
  constructor(private readonly packages: Packages) {}

  @Patch(':id')
  @WithTaskQueue()
  update(@Param('id') id: string, @Body() dto: UpdatePackageDto): Promise<Package> {
    return this.packages.update(id, dto);
  }
}

const shelf: StorageAdapter = {
  async read(location, range) {
    if (location !== 'book') throw new LocationNotFoundError(location);
    const content = Readable.from([Buffer.from('pages')]);
    return range ? cutToRange(content, range) : content;
  },
};

const options: FilesModuleOptions = {
  storages: {
    default: fsStorage({ root: 'var/files', maxSize: '10MiB' }),
    scratch: memoryStorage(),
    shelf,
    books: new Storage(shelf, { maxSize: '1MiB', disable: ['remove'] }),
  },
  actor: (context: ExecutionContext) => {
    const { user } = context.switchToHttp().getRequest<{ user?: { id: string } }>();
    return user ? { type: 'user', id: user.id } : null;
  },
  uploads: 'authenticated',
  cascade: { package: true },
  quotas: { user: { bytes: '1GiB' }, package: (id) => (id === '1' ? { count: 10 } : null) },
};

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:', autoLoadEntities: true }),
    FilesModule.forRoot(options),
    FilesModule.forRootAsync({ useFactory: () => options }),
  ],
  controllers: [PackagesController],
  providers: [Packages, PackageFiles],
})
export class AppModule {}

export const operations: FileOperation[] = [];
export const contract: typeof testing.describeStorage = testing.describeStorage;

// @ts-expect-error the types are real: a storage that does not exist would pass if they were `any`
fsStorage({ root: 1 });
export const expired: FileFilter = { expiresAt: { $lt: new Date() } };
// @ts-expect-error a pattern is for texts
export const dated: FileFilter = { createdAt: { $like: '2026%' } };
// @ts-expect-error no storage can do this
new Storage(shelf, { disable: ['erase'] });
