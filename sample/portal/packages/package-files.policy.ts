import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { OwnerPolicy } from 'nestjs-files';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import { Repository } from 'typeorm';
import { Package } from './package.entity.js';

/** Who sees a package sees its attachment; only who made the package may do more. */
@OwnerPolicy('package')
@Injectable()
export class PackageFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    const pkg = await this.packages.findOneBy({ id });
    if (!pkg) return false;
    return operation === 'read' ? pkg.isVisibleTo(actor?.id) : pkg.creatorId === actor?.id;
  }
}
