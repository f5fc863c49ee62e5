// Does a scan of one owner's files depend on how many files there are?

import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule, FilesService } from '../lib/index.js';
import { memoryStorage } from '../lib/storage/adapters/memory.storage.js';
import { contest, printStandings } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { fillTables } from './support/files-table.js';

const FILES_OF_ONE = 50;
const FEW = 10_000;
const MANY = 1_000_000;
const SCANS = 300;

export async function scan(): Promise<void> {
  for (const kind of ['postgres', 'mariadb', 'sqlite'] as const) {
    await withFilesDatabase(kind, async (small, smallSource) => {
      await fillTables(smallSource, FEW, FEW / FILES_OF_ONE);
      await withFilesDatabase(kind, async (large, largeSource) => {
        await fillTables(largeSource, MANY, MANY / FILES_OF_ONE);
        const contexts = [await open(small), await open(large)];
        const contestants = [FEW, MANY].map((files, index) => {
          return { name: `of ${files} files`, round: () => scans(contexts[index]!.get(FilesService), files) };
        });
        for (const { round } of contestants) await round();
        printStandings(`A scan of one owner's ${FILES_OF_ONE} files, ${kind}`, 'scans/s', await contest(contestants));
        for (const context of contexts) await context.close();
      });
    });
  }
}

function open(database: DataSourceOptions): Promise<INestApplicationContext> {
  const imports = [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    FilesModule.forRoot({ storages: { default: memoryStorage() }, sweeper: false }),
  ];
  class AppModule {}
  return NestFactory.createApplicationContext({ module: AppModule, imports }, { logger: ['error'] });
}

async function scans(service: FilesService, files: number): Promise<number> {
  const owners = files / FILES_OF_ONE;
  const begun = performance.now();
  for (let n = 0; n < SCANS; n++) {
    const ownerId = `u${(n * 7919) % owners}`;
    const { count } = await service.scan({ ownerType: 'user', ownerId, limit: FILES_OF_ONE });
    if (count !== FILES_OF_ONE) throw new Error(`${ownerId} has ${count} files.`);
  }
  return (SCANS * 1000) / (performance.now() - begun);
}
