import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';

@Module({})
export class ImportingModule {}

/**
 * An application whose files are in a directory. What a crash has left is swept at once, but only when the command is
 * given.
 */
export function importingModule(database: object, root: string): DynamicModule {
  return {
    module: ImportingModule,
    imports: [
      TypeOrmModule.forRoot({ ...database, autoLoadEntities: true } as TypeOrmModuleOptions),
      FilesModule.forRoot({ storages: { default: fsStorage({ root }) }, sweeper: { grace: 1, interval: 86_400_000 } }),
    ],
  };
}
