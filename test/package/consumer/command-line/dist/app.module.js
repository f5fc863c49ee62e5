import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';

export class AppModule {}

Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      database: 'files.sqlite',
      synchronize: true,
      autoLoadEntities: true,
    }),
    FilesModule.forRoot({
      storages: { disk: fsStorage({ root: 'disk' }), bucket: fsStorage({ root: 'bucket' }) },
      defaultStorage: 'disk',
      sweeper: false,
    }),
  ],
})(AppModule);
