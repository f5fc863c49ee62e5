import { Global, Module } from '@nestjs/common';
import { UsersModule } from '../users/users.module.js';
import { FileLinks } from './file-links.js';
import { ProvenanceController } from './provenance.controller.js';

/** What the portal adds to the library's own routes and services. */
@Global()
@Module({
  imports: [UsersModule],
  controllers: [ProvenanceController],
  providers: [FileLinks],
  exports: [FileLinks],
})
export class FilesExtrasModule {}
