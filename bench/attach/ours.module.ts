import { Body, Controller, Module, Param, ParseIntPipe, Patch } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ArrayMaxSize, IsString, Length } from 'class-validator';
import { Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule, TransferOwnership, WithTaskQueue } from '../../lib/index.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { Package } from '../support/files-table.js';
import { ADA } from './api.js';

class TransferOneDto {
  @IsString() @Length(1, 200) title!: string;
  @TransferOwnership('package') attachmentId!: string;
}

class TransferManyDto {
  @IsString() @Length(1, 200) title!: string;
  @ArrayMaxSize(1000) @TransferOwnership('package') fileIds!: string[];
}

@Controller()
class TransferController {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Patch('packages/:id')
  @WithTaskQueue()
  async attachOne(@Param('id', ParseIntPipe) id: number, @Body() dto: TransferOneDto): Promise<object> {
    await this.packages.update(id, { title: dto.title, attachmentId: dto.attachmentId });
    return { id, ...dto };
  }

  @Patch('collections/:id')
  @WithTaskQueue()
  async attachMany(@Param('id', ParseIntPipe) id: number, @Body() dto: TransferManyDto): Promise<object> {
    await this.packages.update(id, { title: dto.title, fileIds: dto.fileIds });
    return { id, ...dto };
  }
}

/** This library: the files are checked early too, and the validation answers for them. */
@Module({})
export class OursModule {
  static on(database: DataSourceOptions): DynamicModule {
    return {
      module: OursModule,
      imports: [
        TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
        TypeOrmModule.forFeature([Package]),
        FilesModule.forRoot({ storages: { default: memoryStorage() }, actor: () => ADA, sweeper: false }),
      ],
      controllers: [TransferController],
    };
  }
}
