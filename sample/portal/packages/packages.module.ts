import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ManagedFile } from 'nestjs-files';
import { ActivityModule } from '../activity/activity.module.js';
import { Resource } from '../resources/resource.entity.js';
import { PackageFiles } from './package-files.policy.js';
import { PackageQuota } from './package-quota.js';
import { PackageViews } from './package-view.js';
import { Package } from './package.entity.js';
import { PackagesController } from './packages.controller.js';
import { PackagesService } from './packages.service.js';
import { Publisher } from './publisher.js';

@Module({
  imports: [TypeOrmModule.forFeature([Package, Resource, ManagedFile]), ActivityModule],
  controllers: [PackagesController],
  providers: [PackagesService, PackageViews, PackageFiles, PackageQuota, Publisher],
  exports: [PackagesService, PackageQuota],
})
export class PackagesModule {}
