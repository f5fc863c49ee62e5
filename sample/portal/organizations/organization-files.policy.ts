import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { OwnerPolicy } from 'nestjs-files';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import { Repository } from 'typeorm';
import { Organization } from './organization.entity.js';

/** Everybody sees organizations, so everybody sees their images. */
@OwnerPolicy('organization')
@Injectable()
export class OrganizationFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Organization) private readonly organizations: Repository<Organization>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    const organization = await this.organizations.findOneBy({ id });
    if (!organization) return false;
    return operation === 'read' || organization.creatorId === actor?.id;
  }
}
