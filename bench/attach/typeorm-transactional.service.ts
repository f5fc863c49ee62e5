import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Transactional } from 'typeorm-transactional';
import { Package } from '../support/files-table.js';
import type { AttachManyDto, AttachOneDto, AttachService } from './api.js';
import { giveFiles } from './typeorm.service.js';

/** The obvious service with typeorm-transactional. */
@Injectable()
export class TypeormTransactionalService implements AttachService {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Transactional()
  async attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    await this.packages.update(id, { title, attachmentId });
    await giveFiles(this.packages.manager, id, [attachmentId], 'attachmentId');
    return { id, title, attachmentId };
  }

  @Transactional()
  async attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    await this.packages.update(id, { title, fileIds });
    await giveFiles(this.packages.manager, id, fileIds, 'fileIds');
    return { id, title, fileIds };
  }
}
