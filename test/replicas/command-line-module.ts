import { Module } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import type { Storage } from 'nestjs-files/storage';
import type { DataSourceOptions } from 'typeorm';
import { Group } from '../../sample/portal/groups/group.entity.js';
import { Organization } from '../../sample/portal/organizations/organization.entity.js';
import { Package } from '../../sample/portal/packages/package.entity.js';
import { Resource } from '../../sample/portal/resources/resource.entity.js';
import { User } from '../../sample/portal/users/user.entity.js';
import { Draft } from '../crash/portal/drafts.module.js';

/** The records and files of the replicas, for the command line: without routes, jobs and a sweeper. */
export function commandLineModule(database: DataSourceOptions, storage: Storage): Type {
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...(database as TypeOrmModuleOptions), autoLoadEntities: true }),
      TypeOrmModule.forFeature([Draft, Group, Organization, Package, Resource, User]),
      FilesModule.forRoot({ storages: { default: storage }, http: false, sweeper: false, jobs: { work: false } }),
    ],
  })
  class CommandLineModule {}
  return CommandLineModule;
}
