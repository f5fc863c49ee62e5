import { Module, ValidationPipe } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import type { Actor } from 'nestjs-files';
import type { Repository } from 'typeorm';
import { ActivityModule } from './activity/activity.module.js';
import { AuthModule } from './auth/auth.module.js';
import { FilesExtrasModule } from './files/files-extras.module.js';
import { GroupsModule } from './groups/groups.module.js';
import { OrganizationsModule } from './organizations/organizations.module.js';
import { PackagesModule } from './packages/packages.module.js';
import { PACKAGE_QUOTA, withDefaults } from './portal.options.js';
import type { PortalOptions } from './portal.options.js';
import { ResourcesModule } from './resources/resources.module.js';
import { NameTakenFilter } from './name-taken.filter.js';
import { User } from './users/user.entity.js';
import { UsersModule } from './users/users.module.js';
import { WebModule } from './web/web.module.js';
import { WelcomeController } from './welcome.controller.js';

/** A data portal: packages with resources, groups and organizations, and the files that belong to them. */
@Module({})
export class PortalModule {
  static forRoot(options: PortalOptions = {}): DynamicModule {
    const { database, storage, packageQuota, thumbnails } = withDefaults(options);
    return {
      module: PortalModule,
      global: true,
      imports: [
        TypeOrmModule.forRoot({ ...database, autoLoadEntities: true, synchronize: true }),
        FilesModule.forRootAsync({
          http: { assets: true },
          imports: [TypeOrmModule.forFeature([User])],
          inject: [getRepositoryToken(User)],
          useFactory: (users: Repository<User>) => ({
            storages: { default: storage },
            // Who acts is `request.user`, which the TokenGuard sets: the library's default.
            isManager: (actor: Actor | null) => actor !== null && users.existsBy({ id: actor.id, isManager: true }),
            uploads: 'authenticated' as const,
            // Who may see one of these may see its files. Each has a policy: package-files.policy.ts and its like.
            cascade: { package: true, resource: true, group: true, organization: true },
          }),
        }),
        AuthModule,
        FilesExtrasModule.forRoot({ thumbnails }),
        UsersModule,
        OrganizationsModule,
        GroupsModule,
        ActivityModule,
        PackagesModule,
        ResourcesModule,
        WebModule,
      ],
      controllers: [WelcomeController],
      providers: [
        {
          provide: APP_PIPE,
          useValue: new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }),
        },
        { provide: APP_FILTER, useClass: NameTakenFilter },
        { provide: PACKAGE_QUOTA, useValue: packageQuota },
      ],
      exports: [PACKAGE_QUOTA],
    };
  }
}
