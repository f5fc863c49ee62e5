import { Test } from '@nestjs/testing';
import type { Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ACCESS_OPTIONS } from '../../lib/access/access-options.js';
import type { AccessOptions } from '../../lib/access/access-options.js';
import { FilesAccess } from '../../lib/access/files-access.js';
import { PolicyRegistry } from '../../lib/access/policy-registry.js';
import { FilesService } from '../../lib/files/files.service.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { Transactor } from '../../lib/unit-of-work/transactor.js';

/** A `FilesAccess` in an application of its own, booted with the policies. */
export async function accessWith(options: Partial<AccessOptions>, policies: Provider[] = []): Promise<FilesAccess> {
  const all: AccessOptions = {
    isManager: () => false,
    uploads: 'managers',
    cascade: {},
    transferAsUpdate: true,
    scanAs: undefined,
    ...options,
  };
  const module = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [
      { provide: ACCESS_OPTIONS, useValue: all },
      { provide: FilesService, useValue: {} },
      { provide: Transactor, useValue: { dataSource: { entityMetadatas: [] } } },
      PolicyRegistry,
      FilesAccess,
      ...policies,
    ],
  }).compile();
  await module.init();
  return module.get(FilesAccess);
}

/** A file of an owner, `'package:7'`, or of nobody. */
export function fileOf(owner: string | null, rest: Partial<ManagedFile> = {}): ManagedFile {
  const [ownerType = null, ownerId = null] = owner?.split(':') ?? [];
  return Object.assign(new ManagedFile(), { id: crypto.randomUUID(), storage: 'default', ownerType, ownerId, ...rest });
}
