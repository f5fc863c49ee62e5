// What do guards in the database cost? The same request on a database without them, and on one with.

import 'reflect-metadata';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FILES_ENTITIES } from '../lib/entry/entities.js';
import { createGuards } from '../lib/entry/migrations.js';
import { attachCalls } from './attach.js';
import { startChild } from './support/child.js';
import type { Child } from './support/child.js';
import { contest, printStandings } from './support/contest.js';
import type { Contestant } from './support/contest.js';
import { withFilesDatabase } from './support/databases.js';
import { fillTables, Package } from './support/files-table.js';
import { load } from './support/load.js';

const SIZES = [
  [1, 2000],
  [10, 1000],
  [100, 200],
  [1000, 24],
] as const;

export async function guards(): Promise<void> {
  await withFilesDatabase('postgres', (plain, plainSource) =>
    withFilesDatabase('postgres', async (guarded, guardedSource) => {
      await guard(guarded);
      const databases = [
        ['without guards', plain, plainSource],
        ['with guards', guarded, guardedSource],
      ] as const;
      for (const [files, requests] of SIZES) await measure(databases, files, requests);
    }),
  );
}

async function guard(database: DataSourceOptions): Promise<void> {
  const options = { ...database, entities: [...FILES_ENTITIES, Package] } as DataSourceOptions;
  const source = await new DataSource(options).initialize();
  await createGuards(source.createQueryRunner(), [Package]);
  await source.destroy();
}

type Place = readonly [name: string, database: DataSourceOptions, source: DataSource];

async function measure(places: readonly Place[], files: number, requests: number): Promise<void> {
  const calls = attachCalls(files, requests);
  const running: Child[] = [];
  const contestants: Contestant[] = [];
  try {
    for (const [name, database, source] of places) {
      const serve = new URL('./attach/serve.js', import.meta.url).href;
      const child = await startChild(serve, 'nestjs-files', JSON.stringify(database));
      running.push(child);
      const round = async (): Promise<number> => {
        // Records go before their files.
        await source.query('TRUNCATE package');
        await fillTables(source, files * requests);
        return load(child.port, calls);
      };
      await round();
      contestants.push({ name, round });
    }
    printStandings(`${files} file${files === 1 ? '' : 's'} in a request`, 'requests/s', await contest(contestants));
  } finally {
    await Promise.all(running.map((child) => child.stop()));
  }
}
