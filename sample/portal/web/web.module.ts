import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ManagedFile } from 'nestjs-files';
import { AuthModule } from '../auth/auth.module.js';
import { Group } from '../groups/group.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Package } from '../packages/package.entity.js';
import { Resource } from '../resources/resource.entity.js';
import { User } from '../users/user.entity.js';
import { UsersModule } from '../users/users.module.js';
import { AssetsController } from './assets.controller.js';
import { Assets } from './assets.js';
import { FilesOfUser } from './files-of-user.js';
import { FileViews } from './file-views.js';
import { ManageController } from './manage.controller.js';
import { MyFilesController } from './my-files.controller.js';
import { OwnerPages } from './owner-pages.js';
import { PagesController } from './pages.controller.js';
import { SessionController } from './session.controller.js';

/**
 * The portal as people see it: pages, which use the API as any client does. Nothing else in the portal knows of them.
 */
@Module({
  imports: [
    TypeOrmModule.forFeature([ManagedFile, User, Package, Resource, Group, Organization]),
    AuthModule,
    UsersModule,
  ],
  controllers: [SessionController, PagesController, AssetsController, MyFilesController, ManageController],
  providers: [Assets, FilesOfUser, FileViews, OwnerPages],
})
export class WebModule {}
