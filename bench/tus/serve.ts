// A server for tus uploads, in a process of its own: serve.js NAME DIRECTORY [ENDPOINT BUCKET]. Tells its memory when
// it is asked.

import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FileStore } from '@tus/file-store';
import { S3Store } from '@tus/s3-store';
import { Server } from '@tus/server';
import { FilesModule } from '../../lib/files.module.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import { s3Storage } from '../../lib/storage/adapters/s3.storage.js';
import { clientOptions } from '../object-storage/store.js';

export interface Report {
  port: number;
  /** The most memory so far, in MiB. */
  peak: number;
  /** Processor time so far, in seconds. */
  cpu: number;
}

const [name = '', root = '', endpoint = '', bucket = ''] = process.argv.slice(2);
const { port } = await (name === '@tus/server' ? theirs() : ours());
const report = (): Report => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  return { port, peak: maxRSS / 1024, cpu: (userCPUTime + systemCPUTime) / 1e6 };
};
process.on('message', () => process.send?.(report()));
process.send?.(report());

async function theirs(): Promise<AddressInfo> {
  const datastore =
    endpoint === ''
      ? new FileStore({ directory: root })
      : new S3Store({ partSize: 8 * 1024 * 1024, s3ClientConfig: { bucket, ...clientOptions(endpoint) } });
  const server = new Server({ path: '/files/tus', datastore });
  const listening = server.listen(0, '127.0.0.1');
  await new Promise((resolve) => listening.once('listening', resolve));
  return listening.address() as AddressInfo;
}

async function ours(): Promise<AddressInfo> {
  const storage =
    endpoint === ''
      ? fsStorage({ root: join(root, 'files'), fsync: name === 'nestjs-files' })
      : s3Storage({ client: clientOptions(endpoint), bucket });
  @Module({
    imports: [
      TypeOrmModule.forRoot({
        type: 'better-sqlite3',
        database: join(root, 'files.sqlite'),
        enableWAL: true,
        synchronize: true,
        autoLoadEntities: true,
      }),
      FilesModule.forRoot({ storages: { default: storage }, uploads: () => true, sweeper: false }),
    ],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  return (app.getHttpServer() as { address(): AddressInfo }).address();
}
