import 'reflect-metadata';
import { createHash, randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { FileIntent, FILES_ENTITIES } from '../../lib/entry/entities.js';
import { FilesSweeper } from '../../lib/entry/maintenance.js';
import { FilesModule, FilesService } from '../../lib/index.js';
import { s3Storage } from '../../lib/storage/adapters/s3.storage.js';
import { clientOptions, PART_SIZE } from './store.js';
import type { Place, Store } from './store.js';

const ROWS_AT_ONCE = 1000;

/** `FilesService` on `s3Storage`: with intents, sniffing, ownership, and creation under a condition. */
export async function ours({ endpoint, bucket, prefix, database }: Place): Promise<Store> {
  const client = clientOptions(endpoint);
  const storage = s3Storage({ client, bucket, prefix, partSize: PART_SIZE, maxSize: '8GiB' });
  const server = { type: 'postgres', host: '127.0.0.1', username: 'postgres', database, poolSize: 10 } as const;
  const imports = [
    TypeOrmModule.forRoot({ ...server, entities: [...FILES_ENTITIES] }),
    FilesModule.forRoot({ storages: { default: storage }, sweeper: false }),
  ];
  class AppModule {}
  const app = await NestFactory.createApplicationContext({ module: AppModule, imports }, { logger: ['error'] });
  const files = app.get(FilesService);
  return {
    add: async (content) => (await files.create(content, { name: 'a.bin', owner: null })).id,
    remove: (id) => files.delete(id),
    read: async (id, start, end) => files.stream(id, { start, end }),
    async count() {
      let count = 0;
      for await (const _ of storage.list()) count++;
      return count;
    },
    async sweep(names) {
      const intents = app.get(DataSource).getRepository(FileIntent);
      for (let at = 0; at < names.length; at += ROWS_AT_ONCE)
        await intents.insert(names.slice(at, at + ROWS_AT_ONCE).map(givenUp));
      const { finished } = await app.get(FilesSweeper).sweep();
      if (finished !== names.length) throw new Error(`${finished} of ${names.length} objects were removed.`);
    },
    close: () => app.close(),
  };
}

function givenUp(location: string) {
  const locationKey = createHash('sha256').update(location).digest('hex');
  const at = { id: randomUUID(), storage: 'default', location, locationKey, createdAt: new Date() };
  return { ...at, kind: 'delete' as const, leaseOwner: null, leaseUntil: null };
}
