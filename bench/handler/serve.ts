import 'reflect-metadata';
import { Body, Controller, Module, Param, ParseIntPipe, Patch, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsString } from 'class-validator';
import { DataSource, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule, WithTaskQueue } from '../../lib/index.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import { reportPort } from '../support/child.js';
import { Package } from '../support/files-table.js';

class TitleDto {
  @IsString() title!: string;
}

@Controller('packages')
class DecoratedController {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Patch(':id')
  @WithTaskQueue()
  async rename(@Param('id', ParseIntPipe) id: number, @Body() { title }: TitleDto): Promise<object> {
    await this.packages.update(id, { title });
    return { id, title };
  }
}

@Controller('packages')
class TransactionController {
  constructor(private readonly dataSource: DataSource) {}

  @Patch(':id')
  rename(@Param('id', ParseIntPipe) id: number, @Body() { title }: TitleDto): Promise<object> {
    return this.dataSource.transaction(async (manager) => {
      await manager.getRepository(Package).update(id, { title });
      return { id, title };
    });
  }
}

const [, , name = '', options = ''] = process.argv;
const isOurs = name === 'nestjs-files';

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...(JSON.parse(options) as DataSourceOptions), autoLoadEntities: true }),
    TypeOrmModule.forFeature([Package]),
    ...(isOurs ? [FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false })] : []),
  ],
  controllers: [isOurs ? DecoratedController : TransactionController],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await reportPort(app);
