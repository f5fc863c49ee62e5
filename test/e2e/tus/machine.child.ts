import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from '../../../lib/files.module.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';

// An application that can be killed: machine.child.js DATABASE ROOT. It sends its address to its parent.
const [database = '', root = ''] = process.argv.slice(2);

class Machine {}

const app = await NestFactory.create(
  {
    module: Machine,
    imports: [
      TypeOrmModule.forRoot({ type: 'better-sqlite3', database, autoLoadEntities: true, synchronize: true }),
      FilesModule.forRoot({
        storages: { default: fsStorage({ root }) },
        actor: () => ({ type: 'user', id: 'ada' }),
        uploads: 'authenticated',
      }),
    ],
  },
  { logger: false },
);
await app.listen(0, '127.0.0.1');
process.send?.(await app.getUrl());
