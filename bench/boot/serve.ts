import 'reflect-metadata';
import { pathToFileURL } from 'node:url';
import { Body, Controller, Get, Module, Param, Patch, ValidationPipe } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsString, IsUUID, Length } from 'class-validator';
import type { DataSourceOptions } from 'typeorm';
import type * as Files from '../../lib/index.js';
import type * as Memory from '../../lib/storage/adapters/memory.storage.js';
import { reportPort } from '../support/child.js';
import { Package } from './package.js';

const [, , name = '', given = '{}'] = process.argv;
const isOurs = name === 'nestjs-files';
const database = JSON.parse(given) as DataSourceOptions;
const CONTROLLERS = 10;
const ROUTES = 10;
let milliseconds = 0;

// As an application gets it: `npm run build` made it.
const packed = (path: string): string => new URL(path, pathToFileURL(`${process.cwd()}/dist/`)).href;
const ours = isOurs ? ((await import(packed('index.js'))) as typeof Files) : undefined;
const storages = isOurs ? ((await import(packed('storage/adapters/memory.storage.js'))) as typeof Memory) : undefined;
if (ours) {
  ours.FileField()(Package.prototype, 'attachmentId');
  ours.FileField()(Package.prototype, 'fileIds');
  ours.OwnsFiles('package')(Package);
}

/** A controller whose routes each have a DTO with a file of their own. */
function controllerOf(at: number): Type {
  class Routes {}
  for (let n = 0; n < ROUTES; n++) {
    class Dto {
      title!: string;
      attachmentId!: string;
    }
    IsString()(Dto.prototype, 'title');
    Length(1, 200)(Dto.prototype, 'title');
    (ours ? ours.TransferOwnership('package') : IsUUID())(Dto.prototype, 'attachmentId');
    const handler = function handle(id: string, dto: Dto): object {
      return { id, ...dto };
    };
    const descriptor = { value: handler, writable: true, enumerable: false, configurable: true };
    Object.defineProperty(Routes.prototype, `save${n}`, descriptor);
    Param('id')(Routes.prototype, `save${n}`, 0);
    Body()(Routes.prototype, `save${n}`, 1);
    Reflect.defineMetadata('design:paramtypes', [String, Dto], Routes.prototype, `save${n}`);
    Patch(`${n}/:id`)(Routes.prototype, `save${n}`, descriptor);
    ours?.WithTaskQueue()(Routes.prototype, `save${n}`, descriptor);
  }
  Controller(`records${at}`)(Routes);
  return Routes;
}

@Controller('boot')
class BootController {
  @Get() boot(): object {
    return { milliseconds };
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    TypeOrmModule.forFeature([Package]),
    ...(ours && storages
      ? [
          ours.FilesModule.forRoot({
            storages: { default: storages.memoryStorage() },
            actor: () => ({ type: 'user', id: 'ada' }),
            sweeper: false,
          }),
        ]
      : []),
  ],
  controllers: [BootController, ...Array.from({ length: CONTROLLERS }, (_, at) => controllerOf(at))],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await app.init();
// Since the process began.
milliseconds = performance.now();
await reportPort(app);
