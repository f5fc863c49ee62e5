import { ForbiddenException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import type { User } from '../users/user.entity.js';
import type { CreateOrganizationDto } from './create-organization.dto.js';
import { Organization } from './organization.entity.js';
import type { UpdateOrganizationDto } from './update-organization.dto.js';

@Injectable()
export class OrganizationsService {
  constructor(@InjectRepository(Organization) private readonly organizations: Repository<Organization>) {}

  list(): Promise<Organization[]> {
    return this.organizations.find({ order: { name: 'ASC' } });
  }

  async show(id: string): Promise<Organization> {
    const organization = await this.organizations.findOneBy({ id });
    if (!organization) throw new NotFoundException(`There is no organization ${id}.`);
    return organization;
  }

  create(dto: CreateOrganizationDto, creator: User): Promise<Organization> {
    return this.organizations.save(this.organizations.create({ ...dto, creatorId: creator.id }));
  }

  /** Only who made an organization may change it. */
  async update(id: string, dto: UpdateOrganizationDto, user: User): Promise<Organization> {
    const organization = await this.show(id);
    if (organization.creatorId !== user.id)
      throw new ForbiddenException('Only its creator may change the organization.');
    return this.organizations.save(this.organizations.merge(organization, dto));
  }
}
