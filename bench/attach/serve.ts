import 'reflect-metadata';
import { Module, ValidationPipe } from '@nestjs/common';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClsPluginTransactional } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { ClsModule } from 'nestjs-cls';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { addTransactionalDataSource, initializeTransactionalContext } from 'typeorm-transactional';
import { FILES_ENTITIES } from '../../lib/entry/entities.js';
import { reportPort } from '../support/child.js';
import { Package } from '../support/files-table.js';
import { AttachService } from './api.js';
import { BetterSqlite3Service } from './better-sqlite3.service.js';
import { Mysql2Service } from './mysql2.service.js';
import { NestjsClsService } from './nestjs-cls.service.js';
import { OursModule } from './ours.module.js';
import { PgService } from './pg.service.js';
import type { PgPlace } from './pg.service.js';
import { PlainController } from './plain.controller.js';
import { TypeormTransactionalService } from './typeorm-transactional.service.js';
import { TypeormService } from './typeorm.service.js';

@Module({})
class PlainModule {}

function plain(provide: object, imports: DynamicModule['imports'] = []): DynamicModule {
  return {
    module: PlainModule,
    imports,
    controllers: [PlainController],
    providers: [{ provide: AttachService, ...provide } as never],
  };
}

const ENTITIES = [Package, ...FILES_ENTITIES];

function orm(service: Type, database: DataSourceOptions, ...more: DynamicModule[]): DynamicModule {
  const source = TypeOrmModule.forRoot({ ...database, entities: ENTITIES });
  return plain({ useClass: service }, [source, TypeOrmModule.forFeature([Package]), ...more]);
}

function transactional(database: DataSourceOptions): DynamicModule {
  initializeTransactionalContext();
  const source = TypeOrmModule.forRootAsync({
    useFactory: () => ({ ...database, entities: ENTITIES }),
    dataSourceFactory: (options) => Promise.resolve(addTransactionalDataSource(new DataSource(options!))),
  });
  return plain({ useClass: TypeormTransactionalService }, [source, TypeOrmModule.forFeature([Package])]);
}

function cls(database: DataSourceOptions): DynamicModule {
  const adapter = new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() as never });
  const plugin = new ClsPluginTransactional({ imports: [], adapter });
  return orm(NestjsClsService, database, ClsModule.forRoot({ plugins: [plugin], middleware: { mount: true } }));
}

const CONTESTANTS: Record<string, (database: DataSourceOptions) => DynamicModule> = {
  'nestjs-files': (database) => OursModule.on(database),
  pg: (database) => plain({ useValue: new PgService(database as unknown as PgPlace) }),
  mysql2: ({ database }) => plain({ useValue: new Mysql2Service(String(database)) }),
  'better-sqlite3': ({ database }) => plain({ useValue: new BetterSqlite3Service(String(database)) }),
  'dataSource.transaction': (database) => orm(TypeormService, database),
  'typeorm-transactional': transactional,
  'nestjs-cls': cls,
};

const [, , name = '', options = ''] = process.argv;
const app = await NestFactory.create(CONTESTANTS[name]!(JSON.parse(options) as DataSourceOptions), {
  logger: ['error'],
});
app.useGlobalPipes(new ValidationPipe());
app.enableShutdownHooks();
await reportPort(app);
