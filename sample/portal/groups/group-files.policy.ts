import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { OwnerPolicy } from 'nestjs-files';
import type { Actor, FileOwnerPolicy, OwnerOperation } from 'nestjs-files';
import { Repository } from 'typeorm';
import { Group } from './group.entity.js';

/** Everybody sees groups, so everybody sees their images. */
@OwnerPolicy('group')
@Injectable()
export class GroupFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Group) private readonly groups: Repository<Group>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    const group = await this.groups.findOneBy({ id });
    if (!group) return false;
    return operation === 'read' || group.creatorId === actor?.id;
  }
}
