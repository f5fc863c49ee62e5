import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { FilePolicy } from 'nestjs-files';
import type { Actor, FileAccessPolicy, FileOperation, ManagedFile } from 'nestjs-files';
import { Repository } from 'typeorm';
import { User } from './user.entity.js';

/** The files of a user are that user's alone, but an avatar is there to be seen. */
@FilePolicy()
@Injectable()
export class Avatars implements FileAccessPolicy {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  async allows(operation: FileOperation, _actor: Actor | null, file: ManagedFile): Promise<boolean | null> {
    if (file.ownerType !== 'user' || file.ownerId === null) return null;
    if (operation !== 'read' && operation !== 'stream') return null;
    const isAvatar = await this.users.existsBy({ id: file.ownerId, avatarId: file.id });
    return isAvatar ? true : null;
  }
}
