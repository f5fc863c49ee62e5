import 'reflect-metadata';
import { Body, Controller, Module, Param, ParseIntPipe, Patch, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ArrayMaxSize, IsString, Length } from 'class-validator';
import { Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule, TransferOwnership, WithTaskQueue } from '../../lib/index.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { ADA } from '../attach/api.js';
import { reportPort } from '../support/child.js';
import { GuardedPackage } from './package.entity.js';

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
  constructor(@InjectRepository(GuardedPackage) private readonly packages: Repository<GuardedPackage>) {}

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

const [, , options = ''] = process.argv;

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...(JSON.parse(options) as DataSourceOptions), autoLoadEntities: true }),
    TypeOrmModule.forFeature([GuardedPackage]),
    FilesModule.forRoot({ storages: { default: memoryStorage() }, actor: () => ADA, sweeper: false }),
  ],
  controllers: [TransferController],
})
class GuardedModule {}

const app = await NestFactory.create(GuardedModule, { logger: ['error'] });
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await reportPort(app);
