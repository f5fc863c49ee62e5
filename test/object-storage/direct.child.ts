import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DirectUploads } from '../../lib/files/uploads/direct-uploads.js';
import { FilesModule } from '../../lib/files.module.js';
import { s3Storage } from '../../lib/storage/adapters/s3.storage.js';
import type { S3StorageOptions } from '../../lib/storage/adapters/s3.storage.js';

// Begins an upload of so many bytes, or completes the one with this id, as a process that can be killed:
// direct.child.js OPTIONS DATABASE WHAT
const [options = '', database = '', what = ''] = process.argv.slice(2);

class Machine {}

const app = await NestFactory.createApplicationContext(
  {
    module: Machine,
    imports: [
      TypeOrmModule.forRoot({ type: 'better-sqlite3', database, autoLoadEntities: true }),
      FilesModule.forRoot({
        storages: { default: s3Storage(JSON.parse(options) as S3StorageOptions) },
        sweeper: false,
        http: false,
      }),
    ],
  },
  { logger: false },
);
const uploads = app.get(DirectUploads);
if (/^\d+$/.test(what)) await uploads.begin({ name: 'a.bin', size: Number(what) });
else await uploads.complete(what);
