import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable, Module } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { DerivedFile } from '../../lib/files/derived/derived-file.decorator.js';
import { FilesModule } from '../../lib/files.module.js';
import { outboxJobs } from '../../lib/jobs/outbox/outbox-engine.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';

@Injectable()
class Copies {
  @DerivedFile('twin', { from: 'text', attempts: 5, backoff: 1 })
  twin(content: Readable): Promise<Buffer> {
    return buffer(content);
  }
}

/**
 * An application that derives from each text a file with the same content, and whose sweeper works when it is told to.
 */
export function copyingModule(database: DataSourceOptions, root: string): Type {
  @Module({
    imports: [
      TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
      FilesModule.forRoot({
        storages: { default: fsStorage({ root }) },
        http: false,
        sweeper: { interval: 2 ** 31 - 1, grace: 1 },
        jobs: { engine: outboxJobs({ poll: 20, lease: 300 }) },
      }),
    ],
    providers: [Copies],
  })
  class Copying {}
  return Copying;
}
