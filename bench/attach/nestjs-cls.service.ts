import { Injectable } from '@nestjs/common';
import { Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { Package } from '../support/files-table.js';
import type { AttachManyDto, AttachOneDto, AttachService } from './api.js';
import { giveFiles } from './typeorm.service.js';

/** The obvious service with nestjs-cls, whose transaction has to be named. */
@Injectable()
export class NestjsClsService implements AttachService {
  constructor(private readonly host: TransactionHost<TransactionalAdapterTypeOrm>) {}

  @Transactional()
  async attachOne(id: number, { title, attachmentId }: AttachOneDto): Promise<object> {
    await this.host.tx.getRepository(Package).update(id, { title, attachmentId });
    await giveFiles(this.host.tx, id, [attachmentId], 'attachmentId');
    return { id, title, attachmentId };
  }

  @Transactional()
  async attachMany(id: number, { title, fileIds }: AttachManyDto): Promise<object> {
    await this.host.tx.getRepository(Package).update(id, { title, fileIds });
    await giveFiles(this.host.tx, id, fileIds, 'fileIds');
    return { id, title, fileIds };
  }
}
