import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { PackagesService } from '../packages/packages.service.js';
import type { User } from '../users/user.entity.js';
import type { CreateResourceDto } from './create-resource.dto.js';
import { Resource } from './resource.entity.js';
import type { UpdateResourceDto } from './update-resource.dto.js';

/** Resources outside of their package. Who may see or change a package may see or change its resources. */
@Injectable()
export class ResourcesService {
  constructor(
    @InjectRepository(Resource) private readonly resources: Repository<Resource>,
    private readonly packages: PackagesService,
  ) {}

  async show(id: string, viewer: User | null): Promise<Resource> {
    const resource = await this.#find(id);
    await this.packages.show(resource.packageId, viewer);
    return resource;
  }

  async create(dto: CreateResourceDto, user: User): Promise<Resource> {
    await this.packages.showOwn(dto.packageId, user);
    return this.resources.save(this.resources.create(dto));
  }

  async update(id: string, dto: UpdateResourceDto, user: User): Promise<Resource> {
    const resource = await this.#find(id);
    await this.packages.showOwn(resource.packageId, user);
    return this.resources.save(this.resources.merge(resource, dto));
  }

  async #find(id: string): Promise<Resource> {
    const resource = await this.resources.findOneBy({ id });
    if (!resource) throw new NotFoundException(`There is no resource ${id}.`);
    return resource;
  }
}
