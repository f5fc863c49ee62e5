import { ForbiddenException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import type { User } from '../users/user.entity.js';
import type { CreateGroupDto } from './create-group.dto.js';
import { Group } from './group.entity.js';
import type { UpdateGroupDto } from './update-group.dto.js';

@Injectable()
export class GroupsService {
  constructor(@InjectRepository(Group) private readonly groups: Repository<Group>) {}

  list(): Promise<Group[]> {
    return this.groups.find({ order: { name: 'ASC' } });
  }

  async show(id: string): Promise<Group> {
    const group = await this.groups.findOneBy({ id });
    if (!group) throw new NotFoundException(`There is no group ${id}.`);
    return group;
  }

  create(dto: CreateGroupDto, creator: User): Promise<Group> {
    return this.groups.save(this.groups.create({ ...dto, creatorId: creator.id }));
  }

  /** Only who made a group may change it. */
  async update(id: string, dto: UpdateGroupDto, user: User): Promise<Group> {
    const group = await this.show(id);
    if (group.creatorId !== user.id) throw new ForbiddenException('Only its creator may change the group.');
    return this.groups.save(this.groups.merge(group, dto));
  }
}
