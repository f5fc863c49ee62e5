import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { OwnerReference } from 'nestjs-files';
import { In, Repository } from 'typeorm';
import { Group } from '../groups/group.entity.js';
import { Organization } from '../organizations/organization.entity.js';
import { Package } from '../packages/package.entity.js';
import { Resource } from '../resources/resource.entity.js';
import { User } from '../users/user.entity.js';

/** Where the owner of a file is shown: where the file is used. */
export interface OwnerPage {
  type: string;
  /** Null for an owner that the viewer may not see, and for a removed one. */
  title: string | null;
  url: string | null;
}

type Found = { id: string; title: string; url: string };

@Injectable()
export class OwnerPages {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    @InjectRepository(Resource) private readonly resources: Repository<Resource>,
    @InjectRepository(Group) private readonly groups: Repository<Group>,
    @InjectRepository(Organization) private readonly organizations: Repository<Organization>,
  ) {}

  /** Looks owners up at once, and gives the function that tells their pages: `page({ type: 'package', id })`. */
  async of(owners: readonly OwnerReference[], viewer: User | null): Promise<(owner: OwnerReference) => OwnerPage> {
    const pages = new Map<string, Found>();
    for (const type of new Set(owners.map((owner) => owner.type))) {
      const ids = owners.filter((owner) => owner.type === type).map(({ id }) => id);
      for (const found of await this.#find(type, [...new Set(ids)], viewer)) pages.set(`${type} ${found.id}`, found);
    }
    return ({ type, id }) => {
      const { title = null, url = null } = pages.get(`${type} ${id}`) ?? {};
      return { type, title, url };
    };
  }

  async #find(type: string, list: readonly string[], viewer: User | null): Promise<Found[]> {
    const id = In([...list]);
    const sees = (pkg: Package | undefined) => viewer?.isManager || pkg?.isVisibleTo(viewer?.id);
    switch (type) {
      case 'user':
        return (await this.users.findBy({ id })).map((user) => found(user.id, user.fullName, `users/${user.id}`));
      case 'package':
        return (await this.packages.findBy({ id }))
          .filter(sees)
          .map((pkg) => found(pkg.id, pkg.title, `packages/${pkg.id}`));
      case 'resource':
        return (await this.resources.find({ where: { id }, relations: { package: true } }))
          .filter((resource) => sees(resource.package))
          .map((resource) => found(resource.id, resource.name, `packages/${resource.packageId}`));
      case 'group':
        return (await this.groups.findBy({ id })).map((group) => found(group.id, group.title, `groups/${group.id}`));
      case 'organization':
        return (await this.organizations.findBy({ id })).map(({ id: own, title }) =>
          found(own, title, `organizations/${own}`),
        );
      default:
        return [];
    }
  }
}

function found(id: string, title: string, path: string): Found {
  return { id, title, url: `/web/${path}` };
}
