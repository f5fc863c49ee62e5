import { BadRequestException, ForbiddenException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import type { NestedResourceDto } from '../resources/nested-resource.dto.js';
import { Resource } from '../resources/resource.entity.js';
import type { User } from '../users/user.entity.js';
import type { CreatePackageDto } from './create-package.dto.js';
import { Package } from './package.entity.js';
import type { UpdatePackageDto } from './update-package.dto.js';

/** Plain TypeORM: it knows nothing of files. */
@Injectable()
export class PackagesService {
  constructor(
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    @InjectRepository(Resource) private readonly resources: Repository<Resource>,
  ) {}

  listFor(viewer: User | null): Promise<Package[]> {
    return this.packages.find({
      where: viewer?.isManager ? {} : [{ visibility: 'public' }, ...(viewer ? [{ creatorId: viewer.id }] : [])],
      relations: { resources: true },
      order: { name: 'ASC', resources: { name: 'ASC' } },
    });
  }

  /** A package that the viewer may not see is not there. Managers see all. */
  async show(id: string, viewer: User | null): Promise<Package> {
    const pkg = await this.packages.findOne({ where: { id }, relations: { resources: true } });
    if (!pkg || !(viewer?.isManager || pkg.isVisibleTo(viewer?.id)))
      throw new NotFoundException(`There is no package ${id}.`);
    return pkg;
  }

  /** The package, if this is who made it. */
  async showOwn(id: string, user: User): Promise<Package> {
    const pkg = await this.show(id, user);
    if (pkg.creatorId !== user.id) throw new ForbiddenException('Only its creator may change the package.');
    return pkg;
  }

  create({ resources = [], ...rest }: CreatePackageDto, creator: User): Promise<Package> {
    const pkg = this.packages.create({ ...rest, resources: [], creatorId: creator.id });
    pkg.resources = resources.map((dto) => this.#resourceFor(pkg, dto));
    return this.packages.save(pkg);
  }

  async update(id: string, { resources, ...rest }: UpdatePackageDto, user: User): Promise<Package> {
    const pkg = this.packages.merge(await this.showOwn(id, user), rest);
    if (resources) pkg.resources = resources.map((dto) => this.#resourceFor(pkg, dto));
    return this.packages.save(pkg);
  }

  /** The package's own resource that the item names, changed; a new one if it names none. */
  #resourceFor(pkg: Package, dto: NestedResourceDto): Resource {
    if (dto.id === undefined) return this.resources.create(dto);
    const known = pkg.resources.find(({ id }) => id === dto.id);
    if (!known) throw new BadRequestException(`The package has no resource ${dto.id}.`);
    return this.resources.merge(known, dto);
  }
}
