import { Inject, Injectable, PayloadTooLargeException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ManagedFile } from 'nestjs-files';
import { In, Repository } from 'typeorm';
import { PACKAGE_QUOTA } from '../portal.options.js';
import { Resource } from '../resources/resource.entity.js';

/** How much a package may have. */
@Injectable()
export class PackageQuota {
  constructor(
    @InjectRepository(ManagedFile) private readonly files: Repository<ManagedFile>,
    @InjectRepository(Resource) private readonly resources: Repository<Resource>,
    @Inject(PACKAGE_QUOTA) private readonly limit: number,
  ) {}

  /** Throws if the files that the package and its resources own are too much. */
  async check(packageId: string): Promise<void> {
    const resources = await this.resources.findBy({ packageId });
    const owned = await this.files.findBy([
      { ownerType: 'package', ownerId: packageId },
      { ownerType: 'resource', ownerId: In(resources.map(({ id }) => id)) },
    ]);
    const size = owned.reduce((sum, file) => sum + file.size, 0);
    if (size > this.limit) {
      throw new PayloadTooLargeException(`The files of a package may have ${this.limit} bytes; these have ${size}.`);
    }
  }
}
