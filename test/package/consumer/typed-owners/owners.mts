import {
  FilesModule,
  FilesService,
  OwnerPolicy,
  OwnershipTransferTask,
  OwnsFiles,
  TransferOwnership,
} from 'nestjs-files';
import { transferOwnership, withFiles } from 'nestjs-files/schema';
import type { Actor, FileOwnerPolicy, OwnerEntity, OwnerOperation, OwnerTypeName } from 'nestjs-files';
import type { StandardSchema } from 'nestjs-files/schema';
import { memoryStorage } from 'nestjs-files/storage/memory';

declare module 'nestjs-files' {
  interface FileOwnerTypes {
    package: Package;
    resource: Resource;
    user: User;
  }
}

declare module 'nestjs-files' {
  interface FileMetadata {
    alt?: string;
    embargo?: boolean;
  }
}

declare module 'nestjs-files' {
  interface Actor {
    roles?: string[];
  }
}

@OwnsFiles('package', { onDelete: 'delete' })
export class Package {
  id!: string;
  title!: string;
  resources!: Resource[];
}

export interface User {
  id: string;
}

export class DraftPackage extends Package {
  readonly isDraft = true;
}

OwnsFiles('package')(DraftPackage);

// @ts-expect-error a typing error in the owner type
@OwnsFiles('pakage')
export class Resource {
  id!: string;
  fileId!: string;
}

// @ts-expect-error a resource is no package
OwnsFiles('package')(Resource);

export class ResourceDto {
  @TransferOwnership('resource')
  fileId!: string;

  @TransferOwnership('resource', ['..', 'id'])
  coverId!: string;

  // The result is taken to be the owner, unless the function says what it is.
  @TransferOwnership('resource', { owner: (result) => result.fileId && result })
  posterId!: string;

  @TransferOwnership('resource', {
    owner: (result: Package, dto: ResourceDto) => result.resources.find(({ fileId }) => fileId === dto.thumbId),
  })
  thumbId!: string;

  @TransferOwnership('package', { owner: (result: { saved: Package }) => result.saved.id })
  readmeId!: string | null;

  // @ts-expect-error a typing error in the owner type
  @TransferOwnership('pakage')
  wrongType!: string;

  // @ts-expect-error a package has no such property
  @TransferOwnership('package', { owner: (result) => result.name })
  wrongProperty!: string;

  // @ts-expect-error a resource is no package
  @TransferOwnership('package', { owner: (result: Package) => result.resources[0] })
  wrongOwner!: string;

  // @ts-expect-error the DTO of the function is another one
  @TransferOwnership('package', { owner: (result: Package, dto: { packageId: string }) => dto.packageId })
  wrongDto!: string;
}

declare const schema: StandardSchema<unknown, ResourceDto>;

withFiles(schema, {
  fileId: transferOwnership('resource'),
  coverId: transferOwnership('resource', { owner: (result) => result.fileId && result }),
  posterId: transferOwnership('resource', {
    owner: (result: Package, dto: ResourceDto) => result.resources.find(({ fileId }) => fileId === dto.posterId),
  }),
  // @ts-expect-error a typing error in the owner type
  thumbId: transferOwnership('pakage'),
});

withFiles(schema, {
  // @ts-expect-error a package has no such property
  fileId: transferOwnership('package', { owner: (result) => result.name }),
  // @ts-expect-error the DTO of the function is another one
  coverId: transferOwnership('package', { owner: (result: Package, dto: { packageId: string }) => dto.packageId }),
});

@OwnerPolicy('package')
export class PackageFiles implements FileOwnerPolicy {
  allows(_: OwnerOperation, actor: Actor | null): boolean {
    // @ts-expect-error a typing error in what the application put on actors
    if (actor?.rolse) return false;
    return actor?.roles?.includes('editor') === true;
  }
}

// @ts-expect-error a typing error in the owner type
@OwnerPolicy('pakage')
export class PakageFiles extends PackageFiles {}

export async function hand(files: FilesService, fileId: string): Promise<void> {
  new OwnershipTransferTask(fileId, 'package', 'id');
  // @ts-expect-error a typing error in the owner type
  new OwnershipTransferTask(fileId, 'pakage', 'id');
  await files.transferOwnership(fileId, { ownerType: 'user', ownerId: '1' });
  // @ts-expect-error a typing error in the owner type
  await files.transferOwnership(fileId, { ownerType: 'usr', ownerId: '1' });
  await files.scan({ ownerType: 'package', ownerId: '1' });
  // @ts-expect-error a typing error in the owner type
  await files.scan({ ownerType: 'pakage', ownerId: '1' });
}

export async function describe(files: FilesService, fileId: string): Promise<string | undefined> {
  await files.update(fileId, { metadata: (current) => ({ ...current, alt: 'A hare' }) });
  // @ts-expect-error a typing error in what the application keeps with files
  await files.update(fileId, { metadata: { atl: 'A hare' } });
  return (await files.findOrFail(fileId)).metadata?.alt;
}

const storages = { default: memoryStorage() };
FilesModule.forRoot({ storages, cascade: { package: true }, quotas: { user: { count: 3 } } });
FilesModule.forRoot({ storages, actor: () => ({ type: 'user', id: '7', roles: ['editor'] }) });
// @ts-expect-error a typing error in the owner type
FilesModule.forRoot({ storages, cascade: { pakage: true } });
// @ts-expect-error a typing error in the owner type
FilesModule.forRoot({ storages, quotas: { usr: { count: 3 } } });

export const names: OwnerTypeName[] = ['package', 'resource', 'user'];
export const title = (owner: OwnerEntity<'package'>): string => owner.title;
// @ts-expect-error a package has no such property
export const name = (owner: OwnerEntity<'package'>): string => owner.name;
