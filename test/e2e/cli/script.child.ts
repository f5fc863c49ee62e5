import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import { runFilesCli } from 'nestjs-files/cli';
import { memoryStorage } from 'nestjs-files/storage/memory';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:', synchronize: true, autoLoadEntities: true }),
    FilesModule.forRoot({ storages: { default: memoryStorage() } }),
  ],
})
class AppModule {}

process.exitCode = await runFilesCli(AppModule);
