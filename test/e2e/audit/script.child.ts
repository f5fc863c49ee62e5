/* oxlint-disable no-console -- its output is what it is for */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import { FilesAudit } from 'nestjs-files/maintenance';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { GUARDED } from '../../support/guarded-entities.js';

const [, , database = ''] = process.argv;

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database, autoLoadEntities: true }),
    TypeOrmModule.forFeature(GUARDED),
    FilesModule.forRoot({ storages: { default: memoryStorage() } }),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
for await (const finding of app.get(FilesAudit).run()) {
  console.log(JSON.stringify(finding));
  process.exitCode = 1;
}
await app.close();
