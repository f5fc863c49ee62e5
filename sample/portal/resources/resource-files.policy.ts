import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { OwnerPolicy } from 'nestjs-files';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import { Repository } from 'typeorm';
import { Resource } from './resource.entity.js';

/** The files of resources follow the package of the resource. */
@OwnerPolicy('resource')
@Injectable()
export class ResourceFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Resource) private readonly resources: Repository<Resource>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    const resource = await this.resources.findOne({ where: { id }, relations: { package: true } });
    if (!resource?.package) return false;
    return operation === 'read' ? resource.package.isVisibleTo(actor?.id) : resource.package.creatorId === actor?.id;
  }
}
