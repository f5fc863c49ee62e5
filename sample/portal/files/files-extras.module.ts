import { Global, Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { UsersModule } from '../users/users.module.js';
import { FileLinks } from './file-links.js';
import { ProvenanceController } from './provenance.controller.js';
import { Thumbnails } from './thumbnails.js';

/** The portal's additions to the library's routes and services. */
@Global()
@Module({
  imports: [UsersModule],
  controllers: [ProvenanceController],
  providers: [FileLinks],
  exports: [FileLinks],
})
export class FilesExtrasModule {
  static forRoot({ thumbnails }: { thumbnails: boolean }): DynamicModule {
    return { module: FilesExtrasModule, providers: thumbnails ? [Thumbnails] : [] };
  }
}
