import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PackagesModule } from '../packages/packages.module.js';
import { ResourceFiles } from './resource-files.policy.js';
import { Resource } from './resource.entity.js';
import { ResourcesController } from './resources.controller.js';
import { ResourcesService } from './resources.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Resource]), PackagesModule],
  controllers: [ResourcesController],
  providers: [ResourcesService, ResourceFiles],
})
export class ResourcesModule {}
